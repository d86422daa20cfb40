"""`python benchmarks/store.py`: what commands cost in a large store, as it grows.

Stores of made-up results in a temporary folder hold one study of 1,000 finished runs among others
of 1,000 and 10,000 runs in all (`--runs 1000,10000,100000` for more). Each command is a process of
its own; seconds are of CPU, its children's included, so that other work on the machine counts
little. The second of two calls is shown: the first fills caches. `--analysis 2000` adds the report
of a study of so many runs, with its peak memory. Growth is the exponent of time over runs: 1 is in
proportion, 2 quadratic.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from scaling_study.config.hydra_app import composed
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.planning.plan import planned_cells
from scaling_study.study.result import Result
from scaling_study.study.store import Store

STUDY = 1000
DEPTHS, WIDTHS, EPOCHS = [14, 26, 38, 50, 101], [0.125 * (n + 1) for n in range(10)], [5, 10]


def grid(name: str, runs: int, first_seed: int) -> dict[str, Any]:
    """A grid of so many runs: 100 cells, and as many seeds as are needed."""
    seeds = [first_seed + n for n in range(-(-runs // (len(DEPTHS) * len(WIDTHS) * len(EPOCHS))))]
    axes = {"depth": DEPTHS, "width": WIDTHS, "epochs": EPOCHS, "seed": seeds}
    return {"name": name, "axes": axes}


def cells_of(values: dict[str, Any]) -> list[Cell]:
    _, cells, _ = planned_cells({**composed("sweep", []), "grid": values}, [], Times([], 1))
    return cells


def fill(store: Store, cells: Sequence[Cell]) -> None:
    """Give every cell a finished result, as a worker leaves it."""
    for number, cell in enumerate(cells):
        run = cell.run
        error = 0.9 * (run.model.depth * run.model.width * run.train.epochs) ** -0.2
        result = Result(
            **describe(run),
            status="ok",
            device="cpu: made up",
            threads=1,
            world_size=1,
            val_error=error * (1 + 0.01 * math.sin(7.1 * number)),
            train_error=error / 2,
            val_loss=1.0,
            step_time_s=1e-4 * run.model.depth * (1 + run.model.width) + 1e-7 * number,
            wall_s=10.0,
            versions={"torch": "made up"},
        )
        folder = store.run_dir(run.run_id)
        folder.mkdir(parents=True)
        # Not write_result, which waits for the disk.
        (folder / "result.json").write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
        note = {"host": "made-up", "pid": 1, "started": "1", "ended": time.time(), "attempts": []}
        (folder / "job.json").write_text(json.dumps(note), encoding="utf-8")


def cost(folder: Path, *words: str) -> tuple[float, float]:
    """CPU seconds of a command, and the largest memory of any command so far, bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_maxrss * 1024


def written_grid(folder: Path, name: str, runs: int) -> list[str]:
    """The words of a sweep of a grid, whose file is written."""
    file = folder / "grids" / "grid" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"grid": grid(name, runs, 0)})
    file.write_text(f"# @package _global_\n{text}", encoding="utf-8")
    search = f"hydra.searchpath=[file://{folder}/grids]"
    return ["scaling_study.sweep", f"+grid={name}", search, "measure.at_end=false"]


def growth(sizes: Sequence[int], seconds: Sequence[float]) -> str:
    """Exponents of time over runs, between each size and the next."""
    pairs = zip(pairwise(sizes), pairwise(seconds), strict=True)
    exponents = [math.log(t[1] / t[0]) / math.log(n[1] / n[0]) for n, t in pairs]
    return "  growth " + ", ".join(f"{e:.2f}" for e in exponents) if exponents else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="1000,10000", help="runs in the store, comma-separated")
    parser.add_argument("--study", type=int, default=STUDY, help="runs of the study in it")
    parser.add_argument("--analysis", type=int, default=0, help="runs of a study to analyse")
    options = parser.parse_args()
    sizes = sorted(int(text) for text in options.runs.split(","))
    found: dict[str, list[float]] = {"no-op sweep": [], "status": []}
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name), Store(Path(name) / "results")
        sweep = written_grid(folder, "bench", options.study)
        fill(store, cells_of(grid("bench", options.study, 0)))
        held = options.study
        for runs in sizes:
            if runs > held:
                fill(store, cells_of(grid("others", runs - held, 1000 + held))[: runs - held])
                held = runs
            commands = {"no-op sweep": sweep, "status": ["scaling_study.status", "results/bench"]}
            for title, words in commands.items():
                found[title].append([cost(folder, *words)[0] for _ in range(2)][1])
                print(f"{held:>7,} runs in the store: {title} {found[title][-1]:.2f} s of CPU")
        for title, seconds in found.items():
            print(f"{title}:{growth(sizes, seconds)}")
        if options.analysis:
            fill(Store(folder / "large"), cells_of(grid("large", options.analysis, 0)))
            cost(folder, *written_grid(folder, "large", options.analysis), "results_dir=large")
            seconds, memory = cost(folder, "analysis", "large/large", "-o", "figures")
            print(f"analysis of {options.analysis:,} runs: {seconds:.1f} s, {memory / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
