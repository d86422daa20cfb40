"""What tracking costs a run: `python benchmarks/tracking.py [--repeats 3]`.

Tiny runs mirrored by the real W&B client to a local server, in one go: a server in order, one that
is down, and three that misbehave. A run's delay is what it took of its slot beyond its training,
which shares its cores with the client. The end is what a sweep waits once, after all of its runs.
Medians; nothing is asserted.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from helpers.tiny import NOT_TRACKED, tiny  # noqa: E402
from helpers.wandb_server import KEY, Server, serving  # noqa: E402
from scaling_study.config.execution import ExecutionConfig  # noqa: E402
from scaling_study.launch.job import Job, finish_uploads  # noqa: E402

EPOCHS, TIMEOUT_S = 40, 5.0
HANGS: Callable[..., Any] = lambda path, _: time.sleep(60) if "file_stream" in path else None  # noqa: E731
CASES: dict[str, Any] = {
    "tracking=none": None,
    "server in order": lambda path, _: None,
    "server down": None,
    "never answers": HANGS,
    "answers 500": lambda path, _: (500, {}) if "file_stream" in path else None,
    "answers 429": lambda path, _: (429, {"Retry-After": "1"}) if "file_stream" in path else None,
}


def execution(folder: Path, name: str) -> ExecutionConfig:
    """One thread, W&B's answers waited for as long as by default."""
    return ExecutionConfig(
        results_dir=str(folder / "results"),
        cache_dir=str(folder / "cache"),
        threads=1,
        loader_workers=0,
        checkpoint_every_s=2,
        checkpoint_keep="final",
        metrics_every_s=0.1,
        tracking=replace(NOT_TRACKED, name=name, finish_timeout_s=TIMEOUT_S),
        git_commit=None,
        git_dirty=None,
    )


def measured(folder: Path, case: str, seed: int, server: Server) -> tuple[float, float, float, str]:
    """Seconds of training, of the job beyond it, of the wait at the end; the run's status."""
    server.behave = CASES[case] or CASES["server in order"]
    name = "none" if case == "tracking=none" else "online"
    job = Job(tiny(seed=seed, **{"train.epochs": EPOCHS}), execution(folder / case, name))
    start = time.perf_counter()
    outcome = job()
    ended = time.perf_counter()
    finish_uploads([job])
    trained = outcome.wall_s or float("nan")
    return trained, ended - start - trained, time.perf_counter() - ended, outcome.status


def main() -> None:
    """Measure and print; the cases take turns."""
    parser = argparse.ArgumentParser(description="What tracking costs a run.")
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    found: dict[str, list[tuple[float, float, float, str]]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as name, serving() as server:
        folder = Path(name)
        os.environ |= {"WANDB_API_KEY": KEY, "HOME": name}
        measured(folder, "tracking=none", repeats, server)  # loads torch
        for seed in range(repeats):
            for case in CASES:
                url = "http://127.0.0.1:9" if case == "server down" else server.url
                os.environ["WANDB_BASE_URL"] = url
                found[case].append(measured(folder, case, seed, server))
    print(f"{'':<18}{'training s':>12}{'beyond it s':>12}{'the end s':>12}   limit {TIMEOUT_S:g} s")
    for case, rows in found.items():
        *seconds, states = zip(*rows, strict=True)
        numbers = "".join(f"{median(column):>12.2f}" for column in seconds)
        print(f"{case:<18}{numbers}   {' '.join(set(states))}")


if __name__ == "__main__":
    main()
