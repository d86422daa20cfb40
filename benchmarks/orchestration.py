"""Empty runs through our pool and its peers, in one go: seconds a run, and idle time of a slot.

    python benchmarks/orchestration.py [--runs 200] [--rounds 3] [--peers FOLDER]
    python benchmarks/orchestration.py --training [10]

Our run is whole but for the training: claim, config, result with its columns, each written safely.
The peers run a function that does nothing. All take turns, and medians of the rounds count. FOLDER
is where launcher plugins were installed to, as `make bench` does it; without them the target is not
met, because it was not measured.

Then runs that train 20 steps: the CPU time of a run's process beyond that of the same training in a
process that has trained before. It holds what a run imports and does for the first time, kernels
for its own shapes among it.
`--training` measures that alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from timed_jobs import Empty, Trained
from untracked import execution_in

from scaling_study.common.device import cpu_cores
from scaling_study.config.run import RunConfig
from scaling_study.grid.run_at_point import run_at
from scaling_study.launch.local import pool
from scaling_study.launch.options import UNLIMITED, Policy
from scaling_study.launch.slots import Slot

OURS = "our pool"
TARGET_S, TARGET_RATIO, TARGET_IDLE_S, TARGET_CPU_S = 0.020, 5.0, 0.2, 0.1
# 20 steps of the smallest network, and 10 images to score.
TRAINED = {
    "data.classes": 2,
    "data.train_per_class": 16,
    "data.val_per_class": 5,
    "model.width": 0.125,
    "train.batch_size": 8,
    "train.epochs": 5,
}
TRAININGS = 10

APP = """\
import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass


if __name__ == "__main__":
    main()
"""
LAUNCHERS = {"joblib": "hydra_joblib_launcher", "submitit_local": "hydra_submitit_launcher"}


def runs(count: int, point: dict[str, Any] | None = None) -> list[RunConfig]:
    """The tiniest runs of the project's own configuration, by seed; `point` has other settings."""
    import hydra
    from omegaconf import OmegaConf

    from scaling_study.common.paths import data_dir

    OmegaConf.register_new_resolver("data_dir", lambda name: str(data_dir(name)), replace=True)
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        composed = hydra.compose("train", ["model.depth=14"])
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    points = ({"seed": seed, **(point or {})} for seed in range(count))
    return [run_at(values, p) for p in points]  # type: ignore[arg-type]


def cpu_beyond_training(count: int, folder: Path) -> list[float]:
    """CPU seconds of each of `count` runs of ours, less those of the same training when warm.

    Both take turns, one at a time: beside other work the same training takes more of the CPU, so
    that a busy machine gives numbers below 0 too.
    """
    from scaling_study.training.loop import train

    chosen, execution = runs(count + 1, TRAINED), execution_in(folder)
    slot = Slot("cpu0", {"CUDA_VISIBLE_DEVICES": ""})
    beyond = list[float]()
    for number, run in enumerate(chosen):
        job = Trained(run, execution)
        (outcome,) = pool.launch([job], [slot], UNLIMITED)
        assert outcome.status == "ok", outcome
        log = job.store.run_dir(run.run_id) / "log.txt"
        whole = float(log.read_text(encoding="utf-8").split()[-1])
        run_dir = folder / f"alone{number}"
        run_dir.mkdir()
        began = time.process_time()
        train(run, run_dir, execution)
        beyond.append(whole - (time.process_time() - began))
    return beyond[1:]  # the first training here was not warm


def ours(count: int, folder: Path) -> tuple[float, float, list[float]]:
    """Seconds of the first run, of each other one, and the idle seconds of slots between two."""
    execution = execution_in(folder)
    slots = [
        Slot(f"cpu{i}", {"CUDA_VISIBLE_DEVICES": "", "BENCHMARK_SLOT": str(i)})
        for i in range(cpu_cores())
    ]
    # Limits are on, so that looking after them is part of what is measured.
    policy = Policy(retry={}, timeout_min=60, memory_gb=64, stop_after_same_error=3)
    jobs = [Empty(run, execution) for run in runs(count + 1)]
    began = time.perf_counter()
    list(pool.launch(jobs[:1], slots, UNLIMITED))
    first = time.perf_counter() - began
    began = time.perf_counter()
    outcomes = list(pool.launch(jobs[1:], slots, policy))
    each = (time.perf_counter() - began) / count
    assert {outcome.status for outcome in outcomes} == {"ok"}
    spans: dict[str, list[tuple[float, float]]] = {}
    for job in jobs[1:]:
        log = job.store.run_dir(job.run.run_id) / "log.txt"
        slot, start, end = log.read_text(encoding="utf-8").split()[-3:]
        spans.setdefault(slot, []).append((float(start), float(end)))
    idle = [b[0] - a[1] for times in spans.values() for a, b in pairwise(sorted(times))]
    return first, each, idle


def hydra_app(count: int, folder: Path, peers: str, *launcher: str) -> float:
    """Seconds a run of Hydra's own multirun with an empty function."""
    app = folder / "app.py"
    app.write_text(APP, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": peers}

    def multirun(n: int) -> float:
        values = "+x=" + ",".join(map(str, range(n)))
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, str(app), "-m", values, *launcher],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - began

    # Python's and Hydra's own start is no cost of a run.
    return (multirun(count) - multirun(1)) / (count - 1)


def nothing() -> None:
    """What submitit runs."""


def submitit_local(count: int, folder: Path) -> float:
    """Seconds a run of submitit's local executor."""
    import submitit

    executor = submitit.LocalExecutor(folder / "submitit")  # its files have names of their own
    began = time.perf_counter()
    jobs = [executor.submit(nothing) for _ in range(count)]
    for job in jobs:
        job.result()
    return (time.perf_counter() - began) / count


def peers(count: int, folder: Path, plugins: str) -> dict[str, Callable[[], float] | None]:
    """What measures each of the others once; None where its plugin is not installed."""
    found: dict[str, Callable[[], float] | None] = {
        "Hydra, basic": partial(hydra_app, count, folder, plugins),
        "submitit, local executor": partial(submitit_local, count, folder),
    }
    for name, module in LAUNCHERS.items():
        app = partial(hydra_app, count, folder, plugins, f"hydra/launcher={name}")
        found[f"Hydra, {name}"] = app if find_spec(f"hydra_plugins.{module}") else None
    return found


def main() -> int:
    """Print the table; the exit code says whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="", help="folder with Hydra's launcher plugins")
    parser.add_argument(
        "--training", nargs="?", type=int, const=TRAININGS, help="measure runs that train, alone"
    )
    options = parser.parse_args()
    # A forked process would import this file, as it does not with `python -m scaling_study`.
    del sys.modules["__main__"].__file__
    with tempfile.TemporaryDirectory() as folder:
        count = options.training or TRAININGS
        missed = report_training(cpu_beyond_training(count, Path(folder)))
    if options.training:
        return missed
    plugins = str(Path(options.peers).resolve()) if options.peers else ""
    if plugins:
        sys.path.append(plugins)
    took: dict[str, list[float]] = {}
    firsts, idle = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        others = peers(options.runs, Path(folder), plugins)
        for number in range(options.rounds):
            first, each, gaps = ours(options.runs, Path(folder) / f"ours{number}")
            firsts.append(first)
            idle += gaps
            took.setdefault(OURS, []).append(each)
            for name, measure in others.items():
                if measure is not None:
                    took.setdefault(name, []).append(measure())
    print(f"{options.runs} empty runs on {cpu_cores()} cores, {options.rounds} rounds")
    return report(took, [name for name in others if name not in took], max(firsts), idle) or missed


def report_training(beyond: list[float]) -> int:
    """Print CPU seconds of runs beyond their training; 0 if their median is as asked."""
    median, most = statistics.median(beyond), max(beyond)
    met = median <= TARGET_CPU_S
    print(
        f"a run that trains 20 steps takes {median:.3f} s of CPU beyond the training "
        f"({most:.3f} at most); target {TARGET_CPU_S} s: {'met' if met else 'missed'}"
    )
    return 0 if met else 1


def report(
    took: dict[str, list[float]], absent: list[str], first_s: float, idle: list[float]
) -> int:
    """Print seconds a run, by launcher, and idle seconds; 0 if all was measured and is as asked."""
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    for name, median in medians.items():
        spread = f"{1000 * min(took[name]):.1f} to {1000 * max(took[name]):.1f}"
        print(f"{name:24} {1000 * median:8.1f} ms a run ({spread})")
    for name in absent:
        print(f"{name:24} not measured: not installed")
    each = medians.pop(OURS)
    ratio = min(medians.values()) / each
    print(f"the best of them takes {ratio:.1f} times as long; ours starts torch in {first_s:.1f} s")
    middle, longest = statistics.median(idle), max(idle)
    print(f"a slot of ours idles {middle:.3f} s between two runs, {longest:.3f} s at most")
    good = each <= TARGET_S and ratio >= TARGET_RATIO and longest < TARGET_IDLE_S
    met = good and not absent
    said = "met" if met else "not all measured" if good else "missed"
    print(f"targets (20 ms, 5 times, 0.2 s): {said}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
