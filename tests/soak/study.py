"""The study that is disturbed: its command, its processes, and what holds once it is finished."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from helpers.commands import environment
from scaling_study.study.claims import read_note
from scaling_study.study.liveness import STALE_S

RUNS = 3
WORDS = (
    *("+grid=smoke", "grid.axes.depth=[14]", f"grid.axes.seed={[*range(RUNS)]}".replace(" ", "")),
    *("data.train_per_class=8", "data.val_per_class=4", "train.batch_size=8", "train.epochs=16"),
    *("train.warmup_epochs=0", "checkpoint.every_s=0", "launcher.slots=2"),
    *("measure.at_end=false", "report.every=null", "precision=fp32"),
)
# In the environment of every process of a sequence, and of none else.
MARK = "SOAK_SEQUENCE"
# What a sweep may take on a machine that has other work to do.
LIMIT_S = 900
# Of a result: what time, place and the number of attempts change.
TIMED = (
    *("step_time_s", "step_time_mean_s", "step_time_cv", "images_per_s", "bound", "wall_s"),
    *("workers_needed", "core_images_per_s", "peak_memory_bytes", "git_commit", "git_dirty"),
)


class PromiseError(AssertionError):
    """A promise that did not hold; the message says which."""


@dataclass
class Study:
    """A study in `folder`; `results` and `cache` may lie on disks of their own."""

    folder: Path
    results: Path
    cache: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(
        self, *, before: Sequence[str] = (), words: Sequence[str] = (), **more: Any
    ) -> "subprocess.Popen[str]":
        """A sweep as a user starts it, in a group of its own; `more` goes to Popen."""
        folders = (f"results_dir={self.results}", f"cache_dir={self.cache}")
        command = [*before, sys.executable, "-m", "scaling_study.sweep", *WORDS, *folders, *words]
        variables = {**environment(), **self.variables, **more.pop("variables", {})}
        variables |= {MARK: str(self.folder), "OMP_NUM_THREADS": "1"}
        (self.folder / "out").mkdir(exist_ok=True)
        out = (self.folder / "out" / f"{time.monotonic_ns()}.txt").open("w")
        with out:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=variables,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                **more,
            )

    def run_dirs(self) -> list[Path]:
        with suppress(OSError):
            return sorted(p for p in (self.results / "runs").iterdir() if p.is_dir())
        return []

    def workers(self) -> list[int]:
        """Pids of processes that are training, as the kernel confirms: they are this sequence's."""
        notes = (read_note(folder / "job.json") for folder in self.run_dirs())
        pids = {note.get("pid") for note in notes if "ended" not in note}
        return [pid for pid in self.processes() if pid in pids]

    def processes(self) -> list[int]:
        """Every process of this sequence."""
        mark, found = f"{MARK}={self.folder}\0".encode(), []
        for path in Path("/proc").iterdir():
            with suppress(OSError):
                if path.name.isdigit() and mark in (path / "environ").read_bytes() + b"\0":
                    found.append(int(path.name))
        return [pid for pid in found if pid != os.getpid()]

    def said(self) -> str:
        """All that the sweeps have written to their terminals."""
        files = sorted((self.folder / "out").iterdir())
        return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def time_passes(self) -> None:
        """Claims of processes that cannot be seen from here, and are gone, become stale."""
        for folder in self.run_dirs():
            with suppress(OSError):
                os.utime(folder / "job.json", (0, time.time() - STALE_S - 10))


def ended(process: "subprocess.Popen[str]", limit_s: float = LIMIT_S) -> int:
    """The exit code of a sweep; PromiseError if it does not end."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise PromiseError(f"a sweep did not end within {limit_s:g} s") from None


def no_process_left(study: Study) -> None:
    """PromiseError if a process outlives its sweep by more than half a minute."""
    deadline = time.monotonic() + 30
    while left := study.processes():
        if time.monotonic() > deadline:
            raise PromiseError(f"processes are left: {left}")
        time.sleep(0.05)


def finish(study: Study) -> None:
    """The same command, undisturbed, finishes the study."""
    no_process_left(study)
    study.time_passes()
    code = ended(study.start())
    no_process_left(study)
    if code != 0:
        raise PromiseError(f"the same command ended with {code}:\n{study.said()[-2000:]}")


def outcomes(study: Study) -> dict[str, dict[str, Any]]:
    """What each run has come to, as far as that is not a matter of time or place."""
    return {folder.name: _outcome(folder) for folder in study.run_dirs()}


def _outcome(folder: Path) -> dict[str, Any]:
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    found = {name: value for name, value in result.items() if name not in TIMED}
    with suppress(FileNotFoundError):
        found["images"] = (folder / "images.json").read_text(encoding="utf-8")
    found["losses"] = [*_losses(folder)]
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    digest = hashlib.sha256()
    for name, tensor in sorted(state["model"].items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return found | {"weights": digest.hexdigest()}


def _losses(folder: Path) -> Iterator[tuple[float, float]]:
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if "loss" in record:
            yield record["epoch"], record["loss"]


def check(study: Study, wanted: Mapping[str, Mapping[str, Any]]) -> int:
    """How many runs diverged or had a halved micro-batch; all others must be as wanted."""
    found, apart = outcomes(study), 0
    if found.keys() != wanted.keys():
        raise PromiseError(f"runs {sorted(found.keys() ^ wanted.keys())} are too many or missing")
    for run_id, outcome in found.items():
        epochs = [epoch for epoch, _ in outcome["losses"]]
        if len(epochs) != len(set(epochs)):
            raise PromiseError(f"{run_id}: epochs are there twice: {epochs}")
        if outcome["memory_halvings"] or outcome["status"] == "diverged":
            apart += 1
        elif odd := [n for n in outcome if outcome[n] != wanted[run_id][n]]:
            raise PromiseError(
                f"{run_id}: another {', '.join(odd)} than that of an undisturbed run"
            )
    for root in (study.results, study.cache):
        if left := [*root.rglob(".*.tmp")]:
            raise PromiseError(f"temporary files are left: {left}")
    if "Traceback" in study.said():
        raise PromiseError(f"a traceback:\n{study.said()[-3000:]}")
    return apart
