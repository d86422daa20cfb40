"""Configurations that could be trained next, what they would cost, and which fit a budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats
from analysis.fits.laws import SIZE
from analysis.laws.points import Points
from analysis.study.cells import Cell
from scaling_study.common.errors import InputError

# Depths with a known ResNet layout; widths in eighths; resolutions in steps of a stride.
DEPTHS = (14, 26, 38, 50, 101, 152, 200, 270, 300, 350, 400, 420)
WIDTH_STEP = 0.125
STRIDES = (32, 16, 8)
BEYOND = 2.0
BUDGETS = {
    "flops": "--max-flops",
    "step_time_s": "--max-step-time",
    "params": "--max-params",
    "peak_memory_bytes": "--max-memory",
    "gpu_hours": "--gpu-hours",
}


@dataclass(frozen=True)
class CostLaw:
    """ln(cost) = constant + slopes of ln(depth, width, resolution), by least squares.

    `sd` is the standard deviation of its residuals, a relative error of the predicted cost.
    """

    name: str
    constant: float
    slopes: Floats
    sd: float

    def __call__(self, table: Points) -> Floats:
        logs = np.stack([np.log(table[a]) for a in SIZE], axis=1)
        return np.asarray(np.exp(self.constant + logs @ self.slopes), dtype=np.float64)


def cost_law(cells: Sequence[Cell], name: str, hours_per_second: float = math.nan) -> CostLaw:
    """Fit a cost column of the study; `gpu_hours` is step time times `hours_per_second`.

    An axis that does not vary in the study has slope 0.

    Raises:
        InputError: fewer than three configurations measured this cost.
    """
    column, factor = (name, 1.0) if name != "gpu_hours" else ("step_time_s", hours_per_second)
    known = [(c, cost) for c in cells if (cost := c.cost(column)) is not None]
    if len(known) < 3:
        raise InputError(
            f"{BUDGETS[name]}: {len(known)} configurations of this study measured {column}; "
            "three are needed to predict it"
        )
    logs = np.log([[c.value(a) for a in SIZE] for c, _ in known])
    y = np.log([factor * cost for _, cost in known])
    centre = logs.mean(axis=0)
    # Least squares of least norm: an axis without variation gets slope 0.
    slopes = np.linalg.lstsq(logs - centre, y - y.mean(), rcond=1e-9)[0]
    residuals = y - y.mean() - (logs - centre) @ slopes
    df = max(1, len(known) - 1 - int(np.linalg.matrix_rank(logs - centre)))
    sd = math.sqrt(float(residuals @ residuals) / df)
    return CostLaw(name, float(y.mean() - centre @ slopes), slopes, sd)


def _levels(points: Points, axis: str, beyond: float) -> list[float]:
    """Legal settings within the study's range (times `beyond`), and the study's own ones."""
    own = sorted({float(v) for v in points[axis]})
    if len(own) == 1 and beyond == 1:
        return own
    low, high = own[0] / beyond, own[-1] * beyond
    if axis == "depth":
        steps = [float(d) for d in DEPTHS]
    else:
        fits = [s for s in STRIDES if all(v % s == 0 for v in own)]
        step = WIDTH_STEP if axis == "width" else (fits or [1])[0]
        steps = [step * k for k in range(1, math.floor(high / step) + 1)]
    return sorted({*own, *(v for v in steps if low <= v <= high)})


def candidates(points: Points, epochs: float, extrapolate: bool) -> Points:
    """Every legal combination of depth, width and resolution for one training length, in columns.

    With `extrapolate` up to twice and down to half of the studied range.
    """
    beyond = BEYOND if extrapolate else 1.0
    axes = np.meshgrid(*(_levels(points, a, beyond) for a in SIZE), indexing="ij")
    columns = {a: grid.ravel() for a, grid in zip(SIZE, axes, strict=True)}
    return columns | {"epochs": np.full(columns["depth"].size, epochs)}


def affordable(
    table: Points, laws: Mapping[str, CostLaw], budgets: Mapping[str, float], inside: Mask
) -> Mask:
    """Candidates inside the data whose predicted costs keep every budget.

    Raises:
        InputError: none does; or every budget is more than 1.5 times what the dearest candidate
            costs, so that the best one lies outside the study.
    """
    costs = {name: laws[name](table) for name in budgets}
    keeps = np.all([costs[name] <= budgets[name] for name in budgets], axis=0)
    if not (keeps & inside).any():
        said = "; ".join(
            f"{BUDGETS[n]} {budgets[n]:g} (the cheapest needs {costs[n][inside].min():.3g})"
            for n in budgets
        )
        raise InputError(
            f"no configuration near the studied ones keeps {said}; "
            "raise the budget, or give --extrapolate to look outside the data"
        )
    return np.asarray(keeps & inside, dtype=np.bool_)


def check_reach(
    table: Points, laws: Mapping[str, CostLaw], budgets: Mapping[str, float], inside: Mask
) -> None:
    """Raises InputError if every budget is 1.5 times the cost of the dearest candidate or more."""
    dearest = {name: float(laws[name](table)[inside].max()) for name in budgets}
    if all(budgets[name] > 1.5 * dearest[name] for name in budgets):
        said = "; ".join(
            f"{BUDGETS[n]} {budgets[n]:g} (this study reaches {dearest[n]:.3g})" for n in budgets
        )
        raise InputError(
            f"the budget lies outside the data: {said}; give --extrapolate to look there"
        )
