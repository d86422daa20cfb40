"""Runs that are mirrored, halted in the middle, and what they leave behind."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.tiny import NOT_TRACKED, tiny
from helpers.tracked import logged
from helpers.wandb_server import Server
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch import inline
from scaling_study.launch.job import Job
from scaling_study.launch.outcome import Outcome

# One run of a second or two, as a user would type it.
SMALL = (
    *("model.depth=14", "model.width=0.125", "data.resolution=16", "data.classes=4"),
    *("data.train_per_class=32", "data.val_per_class=16", "train.batch_size=16"),
    *("precision=fp32", "metrics_every_s=0.05", "checkpoint.every_s=0"),
)
RUNS = "results/runs/d*/checkpoint.pt"


def left_behind(run_dir: Path) -> dict[int, str]:
    """Processes that work for the run, or were started by one that does: ids, command lines."""
    found: dict[str, str] = {}
    ours: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                line = found[entry.name] = " ".join(words).strip()
                # Runs with the same id train in other folders at the same time.
                if "tracking.uploader" in line and run_dir in map(
                    (entry / "cwd").readlink().joinpath, words
                ):
                    ours.add(entry.name)
            except OSError:
                continue
    # The client's own process names the one that it serves.
    served = {p for p, line in found.items() if "wandb-core" in line and line.split()[-1] in ours}
    return {int(pid): found[pid] for pid in ours | served}


# Far beyond what anything here takes on a slow machine; a server that hangs does so for longer.
PATIENCE_S = 180
HANG_S = 600


def wait_for(condition: Callable[[], object]) -> None:
    """Until the condition holds; fails after PATIENCE_S."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S
        time.sleep(0.02)


def stop_in_the_middle(process: "subprocess.Popen[str]", server: Server, folder: Path) -> Path:
    """Halt a training run with a checkpoint until W&B has seen of it; its folder.

    Its uploader goes on. So it does not matter how fast either of them is.
    """
    wait_for(lambda: [line for path in folder.glob(RUNS) for line in logged(path.parent)])
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: any(run.history for run in server.runs.values()))
    (checkpoint,) = folder.glob(RUNS)
    return checkpoint.parent


def tracked(execution: ExecutionConfig, **changes: Any) -> ExecutionConfig:
    values: dict[str, Any] = {"name": "online", "study": "g", "finish_timeout_s": 1.0} | changes
    return replace(execution, tracking=replace(NOT_TRACKED, **values))


def train(
    execution: ExecutionConfig, seed: int = 0, epochs: int = 4, **changes: Any
) -> tuple[Path, Outcome]:
    """The run's folder and its outcome; its mirror may be at work still."""
    job = Job(tiny(seed=seed, **{"train.epochs": epochs}, **changes), execution)
    (outcome,) = inline.launch([job])
    return job.store.run_dir(job.run.run_id), outcome


def out_of_order(server: Server, where: str, answer: int | None) -> None:
    """From now on the server answers so what is sent there, or if None, never."""

    def behave(path: str, _: str) -> tuple[int, dict[str, str]] | None:
        if where not in path:
            return None
        if answer is None:
            time.sleep(HANG_S)
        return answer or 500, {}

    server.behave = behave
