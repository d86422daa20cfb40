"""The value E that no run can beat, estimated from a study's own runs where it declares that.

E is that of y = E + A depth^-a width^-b ... through the means of all configurations, with a power
for each axis that they vary, the length of training among them: arms that differ, as a study
expects, are no scatter about it. It is fitted to ln(y) by least squares, so that configurations
count alike. The standard error of E is the longer side of its 95 % profile interval over the
quantile of Student's t with the law's degrees of freedom: what seeds and the law's lack of fit
leave open, together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import fdtri

from analysis.fits.forms import Floats
from analysis.stats.contrast import t_quantile
from analysis.study.cells import Cell, cells_of
from analysis.study.columns import LEVEL
from analysis.study.errors import NothingToCompareError
from analysis.study.measure import Floor, Measure, description_of
from analysis.study.table import Table
from scaling_study.study.axes import CELL_AXES
from scaling_study.tasks.base import Description

# Degrees of freedom that the law must leave.
LEAST_DF = 3
# Values of E that are tried between 0 and the best outcome, and steps of Gauss and Newton for each.
TRIED, STEPS = 160, 4
GIVE = "declare the value that no run can beat, as in outcome.best=1.7"
Row = Mapping[str, Any]


def with_floor(table: Table) -> Table:
    """The table with the distances of its outcomes to the fitted floor, where that is declared.

    Raises:
        InputError: no floor can be told from its runs; the message says why.
    """
    outcome = description_of(table.grid)
    if not outcome.fitted:
        return table
    count, every = len(table.rows), above_floor([*table.rows, *table.tuning], outcome)
    return replace(table, rows=every[:count], tuning=every[count:])


def above_floor(rows: Sequence[Row], outcome: Description) -> tuple[Row, ...]:
    """Rows whose `val_error` is the distance to the fitted floor; unchanged where none is.

    Runs at other learning rates than their arms' have no part in the fit. Raises as `with_floor`.
    """
    if not outcome.fitted:
        return tuple(rows)
    own = [cell for cell in cells_of(rows) if cell.lr_factor == 1]
    return _above(rows, fitted_floor(own))


def fitted_floor(cells: Sequence[Cell]) -> Floor:
    """The floor of the mean outcomes of these cells; raises as `with_floor`."""
    y = np.array([cell.error for cell in cells])
    axes = [a.name for a in CELL_AXES if len({cell.value(a.name) for cell in cells}) > 1]
    if len(cells) < (needed := len(axes) + 2 + LEAST_DF):
        raise NothingToCompareError(
            f"outcome.best=fit: {len(cells)} configurations; a floor and {len(axes)} axes need "
            f"{needed}; {GIVE}"
        )
    logs = np.log([[cell.value(axis) for axis in axes] for cell in cells])
    x = np.column_stack([np.ones(len(y)), logs - logs.mean(0)])
    df = len(y) - needed + LEAST_DF
    value, low, high = _profile(y, x, df)
    if not 0 < value < high < y.min():
        raise NothingToCompareError(
            "outcome.best=fit: the outcomes do not level off enough to tell a floor between 0 "
            f"and the best of them, {y.min():.4g}; {GIVE}"
        )
    se = max(value - low, high - value) / t_quantile(df, LEVEL)
    text = (
        f"the floor {value:.4g} [{low:.4g}, {high:.4g}] was fitted to {len(y)} configurations, "
        f"with a power of {' and '.join(axes)}; its uncertainty is in the intervals of contrasts"
    )
    return Floor(value, se, float(df), text)


def _profile(y: Floats, x: Floats, df: int) -> tuple[float, float, float]:
    """E with the least sum of squares, and the ends of its 95 % interval.

    {E: RSS(E) <= RSS_min (1 + F_{1, df} / df)} (Bates & Watts 1988, section 6.1), among values that
    are dense towards the best outcome. An end is 0, or the best outcome, where nothing is excluded.
    """
    share = np.linspace(0, 1, TRIED + 1)[:-1]
    floors = y.min() * (1 - (1 - share) ** 2)
    squares = np.array([_squares(y, x, floor) for floor in floors])
    at = int(squares.argmin())
    limit = squares[at] * (1 + float(fdtri(1, df, 0.95)) / df)
    inside = np.flatnonzero(squares <= limit)
    first, last = int(inside[0]), int(inside[-1])
    low = 0.0 if first == 0 else float(floors[first - 1])
    high = float(floors[last + 1]) if last + 1 < TRIED else float(y.min())
    return float(floors[at]), low, high


def _squares(y: Floats, x: Floats, floor: float) -> float:
    """The least sum of squared residuals of ln(y) about ln(E + exp(x b)), for one E."""
    share = (y - floor) / y
    b = np.linalg.lstsq(x * share[:, None], np.log(y - floor) * share, rcond=None)[0]
    least = math.inf
    for _ in range(STEPS):
        part = np.exp(np.clip(x @ b, -50, 50))
        rest = np.log(y / (floor + part))
        least = min(least, float(rest @ rest))
        b = b + np.linalg.lstsq(x * (part / (floor + part))[:, None], rest, rcond=None)[0]
    return least


def _above(rows: Sequence[Row], floor: Floor) -> tuple[Row, ...]:
    """The rows with their outcomes above the floor; InputError for one that is not above it."""
    found = []
    for row in rows:
        gap = row["val_error"] - floor.value
        if gap <= 0:
            raise NothingToCompareError(
                f"outcome.best=fit: {row['run_id']} has {row['val_error']:.4g}, which is not above "
                f"the fitted floor {floor.value:.4g}; {GIVE}"
            )
        measure: Measure = row["measure"]
        found.append({**row, "val_error": gap, "measure": replace(measure, floor=floor)})
    return tuple(found)
