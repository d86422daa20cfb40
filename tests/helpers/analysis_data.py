"""Synthetic studies with a known answer, as the files a sweep leaves behind."""

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.study.cells import Cell
from helpers.tiny import tiny
from scaling_study.cost.closed_form import describe
from scaling_study.study.result import Result, write_result

DEPTHS = ((14, 0.25), (26, 0.25), (50, 0.25), (98, 0.25))
WIDTHS = ((14, 0.5), (14, 1.0))


def run(depth: int, width: float, epochs: int, seed: int, error: float) -> Result:
    """A finished run whose costs grow with depth and with width squared."""
    flops = round(1e6 * depth * (4 * width) ** 1.2)
    config_id = f"d{depth}-w{width:g}-r32-e{epochs}"
    return Result(
        run_id=f"{config_id}-s{seed}",
        config_id=config_id,
        status="ok",
        data="synthetic",
        family="resnet",
        depth=depth,
        width=width,
        resolution=32,
        epochs=epochs,
        seed=seed,
        recipe="plain",
        batch_size=64,
        lr=0.1,
        params=flops // 10,
        flops=flops,
        activations=flops // 100,
        train_flops=3 * flops * epochs * 1000,
        precision="fp32",
        n_train=1000,
        n_val=2000,
        eval_split="val",
        val_error=error,
        train_error=error / 2,
        step_time_s=flops * 1e-9,
        threads=1,
        world_size=1,
        device="cpu: test",
    )


def runs(effects: dict[int, float], seeds: int = 3, sd: float = 0.002) -> list[Result]:
    """Both arms per regime; at any cost the depth arm errs less by about `effects[epochs]`.

    Errors follow a power law of FLOPs from the shared base; off the base each arm is shifted by
    half of the effect, scaled so that the mean over the common range is the effect.
    """
    generator = np.random.default_rng(7)
    found = []
    for epochs, effect in effects.items():
        for depth, width in (*DEPTHS, *WIDTHS):
            first = run(depth, width, epochs, 0, 0.5)
            x = math.log(first.flops / run(14, 0.25, epochs, 0, 0.5).flops)
            # Linear in ln cost, so the quadratic basis has no bias; mean over [0, top] is effect/2.
            top = math.log(min(98 / 14, 4**1.2))
            shift = effect * x / top * (0 if x == 0 else (-1 if width == 0.25 else 1))
            error = 0.5 * math.exp(-0.2 * x + shift)
            for seed in range(seeds):
                found.append(
                    run(depth, width, epochs, seed, error + sd * float(generator.standard_normal()))
                )
    return found


def write_study(root: Path, results: Iterable[Result], grid: str = "name: demo\n") -> Path:
    """results/demo and its run store; the folder of the study."""
    study = root / "results" / "demo"
    study.mkdir(parents=True)
    (study / "grid.yaml").write_text(grid)
    with (study / "plan.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run_id", "epochs"])
        for result in results:
            writer.writerow([result.run_id, result.epochs])
            folder = root / "results" / "runs" / result.run_id
            folder.mkdir(parents=True)
            write_result(folder, result)
    return study


def verdicts(folder: Path) -> dict:
    """The verdicts of verdicts.json."""
    return json.loads((folder / "verdicts.json").read_text())["verdicts"]


def renamed(result: Result, suffix: str) -> Result:
    """The same run under another name."""
    return replace(result, run_id=result.run_id + suffix, config_id=result.config_id + suffix)


def cell(
    name: str, cost: float, errors: tuple[float, ...], depth: int = 1, width: float = 1.0
) -> Cell:
    """A cell with the same cost on every axis."""
    costs = dict.fromkeys(("step_time_s", "flops", "params"), (cost,) * len(errors))
    return Cell(
        config_id=name,
        depth=depth,
        width=width,
        resolution=32,
        epochs=10,
        errors=errors,
        costs=costs,
        n_val=10_000,
    )


REAL_SHAPES = ((14, 0.25), (26, 0.25), (38, 0.25), (14, 0.375), (14, 0.5))


def write_real_study(
    study: Path, seeds: int = 2, resolutions: tuple[int, ...] = (16, 24), **changes: Any
) -> list[Result]:
    """Run folders with config.yaml and result.json, plan.csv, forecasts.csv; the results.

    Errors follow a power law of FLOPs; depth does better in long training. `changes` replace
    columns of every result.
    """
    generator = np.random.default_rng(5)
    study.mkdir(parents=True)
    results, forecasts = [], []
    for depth, width in REAL_SHAPES:
        for resolution in resolutions:
            for epochs in (4, 20):
                for seed in range(seeds):
                    run = tiny(
                        **{
                            "model.depth": depth,
                            "model.width": width,
                            "data.resolution": resolution,
                            "train.epochs": epochs,
                            "seed": seed,
                        }
                    )
                    known = describe(run)
                    x = math.log(known["flops"] / 1e6)
                    arm = 0.03 * x * (epochs > 9 or -1) * (1 if width == 0.25 else -1)
                    error = 0.5 * math.exp(-0.15 * x - arm) * (4 / epochs) ** 0.2
                    error *= 1 + float(generator.normal(0, 0.004))
                    wall = known["train_flops"] / 1e9 + 1
                    measured = {
                        "val_error": error,
                        "train_error": error / 2,
                        "step_time_s": known["flops"] * 1e-9,
                        "peak_memory_bytes": 10**8 + 100 * known["activations"],
                        "wall_s": wall,
                        "device": "cpu: test",
                        "threads": 1,
                        "world_size": 1,
                        "git_commit": "0123abcd" * 5,
                        "git_dirty": False,
                        "versions": {"python": "3.11", "torch": "2.13"},
                    }
                    result = Result(**{**known, "status": "ok", **measured, **changes})
                    folder = study.parent / "runs" / run.run_id
                    folder.mkdir(parents=True)
                    (folder / "config.yaml").write_text(yaml.safe_dump(asdict(run)))
                    write_result(folder, result)
                    results.append(result)
                    forecasts.append((run.run_id, wall * float(generator.uniform(0.8, 1.2))))
    _table(study / "plan.csv", ("run_id", "epochs"), [(r.run_id, r.epochs) for r in results])
    head = ("run_id", "forecast_s", "forecast_s_low", "forecast_s_high")
    _table(study / "forecasts.csv", head, [(run, s, 0.7 * s, 1.15 * s) for run, s in forecasts])
    (study / "grid.yaml").write_text("n_classes: 32\n")
    return results


def _table(path: Path, head: tuple[str, ...], rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def add_run(study: Path, result: Result, **changes: Any) -> None:
    """One more planned run with these columns changed, in a folder without config.yaml."""
    more = replace(result, **changes)
    folder = study.parent / "runs" / more.run_id
    folder.mkdir(parents=True)
    write_result(folder, more)
    with (study / "plan.csv").open("a", newline="") as file:
        csv.writer(file).writerow((more.run_id, more.epochs))
