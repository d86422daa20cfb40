"""The numbers behind every figure, as flat records: what is drawn is what the CSV holds.

Errors and gaps are fractions; missing values are None.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from analysis.stats.attainment import attainment_of
from analysis.stats.contrast import t_quantile
from analysis.stats.interpolation import smoother
from analysis.stats.pareto import frontier_of
from analysis.study.arms import Base, arm_of
from analysis.study.cells import Cell
from analysis.study.columns import LEVEL, TABLE_AXES, Record, finite, interval
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells

CURVE_POINTS = 40


def half_width(cell: Cell, noise: Noise | None) -> float | None:
    """Half of the 95 % interval of a cell's mean over seeds; None without `noise`."""
    if noise is None:
        return None
    quantile = t_quantile(noise.dfs[cell.config_id], LEVEL)
    return quantile * math.sqrt(noise.variances[cell.config_id] / cell.n)


def _record(
    cell: Cell, base: Base, axis: str, noise: Noise | None, outcome: str = "error"
) -> Record:
    """What a cell is and its outcome with the 95 % interval that rests on `noise`."""
    return {
        **{axis.name: getattr(cell, axis.name) for axis in TABLE_AXES},
        **own_columns(cell),
        "arm": arm_of(cell, base) or "neither",
        "is_base": arm_of(cell, base) == "base",
        "config_id": cell.config_id,
        "seeds": cell.n,
        "noise": noise.kind if noise else None,
        "cost_axis": axis,
        "cost": cell.cost(axis),
        **interval(outcome, cell.error, half_width(cell, noise)),
    }


def own_columns(cell: Cell) -> Record:
    """What a cell has on the axes of its grid alone: each value, then all in words and in short."""
    own = cell.own_values
    named = [(axis, own[axis.name]) for axis in cell.own if axis.name in own]
    words = {"setting": ", ".join(a.text(v) for a, v in named),
             "mark": " ".join(a.short(v) for a, v in named)}  # fmt: skip
    return own | words if own else {}


def by_epochs(records: Sequence[Record]) -> dict[int, list[Record]]:
    """Records by length of training, shortest first."""
    epochs = itemgetter("epochs")
    return {e: list(rows) for e, rows in groupby(sorted(records, key=epochs), epochs)}


def frontier_records(cells: StudyCells, axis: str) -> list[Record]:
    """Every cell against one cost, with the frontier of its regime; empty without any cost."""
    records = []
    base, known = cells.base(), cells.with_cost(axis)
    for epochs, regime in known.regimes.items():
        noise = known.noise(epochs)
        f = frontier_of(regime, axis, noise)
        seeds = _seed_records(f.cells, axis)
        for i, cell in enumerate(f.cells):
            records.append(
                _record(cell, base, axis, noise)
                | {
                    "on_frontier": bool(f.member[i]),
                    "p_on_frontier": finite(f.probability[i]),
                    "frontier_error": float(f.best[i]),
                    "band_low": finite(f.low[i]),
                    "band_high": finite(f.high[i]),
                    "sure_low": finite(f.simultaneous_low[i]),
                    "sure_high": finite(f.simultaneous_high[i]),
                }
                | seeds[i]
            )
    return records


def _seed_records(cells: Sequence[Cell], axis: str) -> list[Record]:
    """Where the frontiers of single seeds lie at each cell's cost; None with one seed."""
    names = ("seeds_low", "seeds_median", "seeds_high", "seeds_honest")
    if min(c.n for c in cells) < 2:
        return [dict.fromkeys(names) for _ in cells]
    columns = np.column_stack(attainment_of(cells, axis)).tolist()
    return [dict(zip(names, row, strict=True)) for row in columns]


def arm_records(cells: StudyCells, axis: str) -> list[Record]:
    """Both arms of each regime: a record per cell, then the interpolated curve that is compared.

    Each has the `variant` of its arm, where the grid has some.
    """
    records = []
    base = cells.base()
    for epochs in cells.regimes:
        noise = cells.noise(epochs)
        for pair in cells.pairs(epochs, axis):
            for arm, members in zip(cells.arms, (pair.first, pair.second), strict=True):
                own = {"variant": members[0].variant} if members[0].variant else {}
                for cell in members:
                    record = _record(cell, base, axis, noise) | own
                    records.append(record | {"arm": arm, "kind": "cell"})
                measure = cells.measure
                if measure.log and any(cell.error <= 0 for cell in members):
                    continue
                x = np.log([cell.cost(axis) or math.nan for cell in members])
                t = np.linspace(x.min(), x.max(), CURVE_POINTS)
                curve = measure.unscaled(smoother(x, t) @ np.array([c.scaled for c in members]))
                records += [
                    {"epochs": epochs, "resolution": members[0].resolution, "arm": arm,
                     **own_columns(members[0]), **own, "kind": "curve", "cost_axis": axis,
                     "cost": float(np.exp(c)), "error": float(e)}
                    for c, e in zip(t, curve, strict=True)
                ]  # fmt: skip
    return records


def overfit_records(cells: StudyCells, axis: str) -> list[Record]:
    """Validation minus clean training error of each cell that measured both, with its interval."""
    records = []
    base, gaps = cells.base(), cells.with_cost(axis).train_validation_gaps
    for epochs, both in gaps.regimes.items():
        noise = gaps.noise(epochs) if any(c.n > 1 for c in both) else None
        records += [_record(cell, base, axis, noise, "gap") for cell in both]
    return records
