"""A study of real configs, with results that a formula gives."""

import csv
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from helpers.study import HERE, make_study
from helpers.tiny import tiny
from scaling_study.cost.closed_form import describe
from scaling_study.study.result import Result

SHAPES = ((14, 0.25), (26, 0.25), (38, 0.25), (14, 0.375), (14, 0.5))


def write_real_study(
    study: Path,
    seeds: int = 2,
    resolutions: tuple[int, ...] = (16, 24),
    grid: str = "n_classes: 32\n",
    **changes: Any,
) -> list[Result]:
    """Run folders with config.yaml and result.json, plan.csv, forecasts.csv; the results.

    Errors follow a power law of FLOPs; depth does better in long training. `changes` replace
    columns of every result.
    """
    generator = np.random.default_rng(5)
    results, configs, forecasts = [], {}, []
    for shape, resolution, epochs, seed in product(SHAPES, resolutions, (4, 20), range(seeds)):
        depth, width = shape
        model = {"model.depth": depth, "model.width": width}
        run = tiny(**model, **{"data.resolution": resolution, "train.epochs": epochs}, seed=seed)
        known = describe(run)
        x = math.log(known["flops"] / 1e6)
        arm = 0.03 * x * (epochs > 9 or -1) * (1 if width == 0.25 else -1)
        error = 0.5 * math.exp(-0.15 * x - arm) * (4 / epochs) ** 0.2
        error *= 1 + float(generator.normal(0, 0.004))
        wall = known["train_flops"] / 1e9 + 1
        found = {
            "val_error": error,
            "train_error": error / 2,
            "step_time_s": known["flops"] * 1e-9,
            "peak_memory_bytes": 10**8 + 100 * known["activations"],
            "wall_s": wall,
        }
        results.append(Result(**{**known, "status": "ok", **found, **HERE, **changes}))
        configs[run.run_id] = run
        forecasts.append((run.run_id, wall * float(generator.uniform(0.8, 1.2))))
    make_study(study, results, grid, configs)
    head = ("run_id", "forecast_s", "forecast_s_low", "forecast_s_high")
    with (study / "forecasts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *((run, s, 0.7 * s, 1.15 * s) for run, s in forecasts)])
    return results
