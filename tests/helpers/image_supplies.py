"""Studies of depth and width, short and long, on images that repeat or not: a simulator of its own.

Errors are known functions of ln(cost); true effects are sums over a fine grid of it, not the
analysis's weights.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

SAME, NEW = "same images", "new images"
# Costs of the arms' ends, relative to the base.
DEEP, WIDE = 2.33, 2.23
# Error of the base and SD of a run, by epochs; seeds of base, deep and wide cell.
LENGTHS = {8: (0.45, 0.016), 48: (0.25, 0.008)}
SEEDS = (3, 6, 5)
SHAPES = ((14, 0.25, 1.0), (38, 0.25, DEEP), (14, 0.375, WIDE))
Row = dict[str, Any]
Gaps = Mapping[tuple[str, int], float]


def log_errors(error: float, gap: float) -> tuple[float, float, float]:
    """ln(error) of base, deep and wide cell: at equal cost the wide arm errs `gap` more."""
    deep_slope = -0.2
    # Both arms are lines in ln(cost): their mean difference over the common range is half that at
    # its end.
    wide_slope = deep_slope + 2 * gap / math.log(WIDE)
    base = math.log(error)
    return base, base + deep_slope * math.log(DEEP), base + wide_slope * math.log(WIDE)


def true_gap(error: float, gap: float) -> float:
    """The mean over the common range of ln(cost) of the arms' difference, by a fine sum."""
    base, deep, wide = log_errors(error, gap)
    at = (np.arange(10_000) + 0.5) / 10_000 * math.log(WIDE)
    lines = [(end - base) / math.log(cost) for end, cost in ((deep, DEEP), (wide, WIDE))]
    return float(np.mean((lines[1] - lines[0]) * at))


def truth(gaps: Gaps) -> float:
    """The true three-way interaction: what depth gains with length, same minus new images."""
    found = {at: true_gap(LENGTHS[at[1]][0], gap) for at, gap in gaps.items()}
    return (found[SAME, 48] - found[SAME, 8]) - (found[NEW, 48] - found[NEW, 8])


def rows(rng: np.random.Generator, gaps: Gaps, noisier: float = 1.0) -> list[Row]:
    """The runs of one study; runs on new images scatter `noisier` times as much."""
    found: list[Row] = []
    for (variant, epochs), gap in gaps.items():
        error, sd = LENGTHS[epochs]
        sd *= noisier if variant == NEW else 1.0
        cells = zip(SHAPES, log_errors(error, gap), SEEDS, strict=True)
        for (depth, width, cost), log_error, seeds in cells:
            name = f"{variant}-d{depth}-w{width}-e{epochs}"
            drawn = math.exp(log_error) + sd * rng.standard_normal(seeds)
            found += [
                {
                    **{"config_id": name, "run_id": f"{name}-s{seed}", "seed": seed},
                    **{"depth": depth, "width": width, "resolution": 16, "epochs": epochs},
                    **{"variant": variant, "flops": 1e7 * cost, "status": "ok"},
                    **{"val_error": float(value), "n_val": 4000, "n_train": 640},
                }
                for seed, value in enumerate(drawn)
            ]
    return found
