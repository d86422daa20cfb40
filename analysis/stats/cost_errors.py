"""How well the costs of cells are known, where they were measured."""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from analysis.study.cells import Cell
from analysis.study.step_times import STEP_TIME


def cost_errors(
    cells: Sequence[Cell], axis: str
) -> tuple[dict[Hashable, tuple[float, list[str]]], float]:
    """For each measured cost the SE of its logarithm and the cells that have it; their df.

    A step time is that of a shape. Another cost differs between seeds, which are taken as
    independent, and its variance is pooled over cells; without replicates it is exact.
    """
    found: dict[Hashable, tuple[float, list[str]]]
    times = [c.step_time for c in cells if c.step_time is not None]
    if axis == STEP_TIME and len(times) == len(cells):
        found = {t.shape: (t.log_se, []) for t in times}
        for cell, time in zip(cells, times, strict=True):
            found[time.shape][1].append(cell.config_id)
        return found, min(t.df for t in times)
    logs = {c.config_id: np.log(c.costs[axis]) for c in cells}
    df = sum(len(v) - 1 for v in logs.values())
    pooled = sum(float(np.var(v)) * len(v) for v in logs.values()) / df if df else 0.0
    found = {k: (math.sqrt(pooled / len(v)), [k]) for k, v in logs.items()}
    return found, float(df) if df else math.inf
