"""Configurations that could be trained next, what they would cost, and which fit a budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats
from analysis.fits.laws import SIZE
from analysis.laws.points import Points
from analysis.laws.recommend.budgets import BUDGETS
from analysis.study.cells import Cell
from scaling_study.common.errors import InputError
from scaling_study.study.axes import REACH

# Legal sizes by axis, as a study knows them of its model family.
Sizes = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class CostLaw:
    """ln(cost) = constant + slopes of ln(depth, width, resolution), by least squares.

    `sd` is the standard deviation of its residuals, a relative error of the predicted cost.
    """

    constant: float
    slopes: Floats
    sd: float

    def __call__(self, table: Points) -> Floats:
        logs = np.stack([np.log(table[a]) for a in SIZE], axis=1)
        return np.asarray(np.exp(self.constant + logs @ self.slopes), dtype=np.float64)


def cost_law(cells: Sequence[Cell], name: str, hours_per_second: float = math.nan) -> CostLaw:
    """Fit a cost column of the study; `gpu_hours` is step time times `hours_per_second`.

    An axis that does not vary has slope 0. Raises InputError if fewer than three cells have it.
    """
    column, factor = (name, 1.0) if name != "gpu_hours" else ("step_time_s", hours_per_second)
    known = [(c, cost) for c in cells if (cost := c.cost(column)) is not None]
    if len(known) < 3:
        raise InputError(
            f"{BUDGETS[name].option}: {len(known)} configurations of this study measured {column}; "
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
    return CostLaw(float(y.mean() - centre @ slopes), slopes, sd)


def candidates(points: Points, epochs: float, extrapolate: bool, sizes: Sizes) -> Points:
    """Every legal combination of depth, width and resolution for one training length, in columns.

    With `extrapolate` up to REACH times the studied range. `sizes` are the legal ones; of an axis
    that they lack, only studied ones are known.
    """
    beyond, levels = REACH if extrapolate else 1.0, []
    for axis in SIZE:
        low, high = points[axis].min() / beyond, points[axis].max() * beyond
        legal = (float(v) for v in sizes.get(axis, ()) if low <= v <= high)
        levels.append(sorted({*points[axis].tolist(), *legal}))
    axes = np.meshgrid(*levels, indexing="ij")
    columns = {a: grid.ravel() for a, grid in zip(SIZE, axes, strict=True)}
    return columns | {"epochs": np.full(columns["depth"].size, epochs)}


def affordable(costs: Mapping[str, Floats], budgets: Mapping[str, float], inside: Mask) -> Mask:
    """Candidates inside the data whose predicted costs keep every budget; InputError if none."""
    keeps: Mask = np.all([costs[name] <= budgets[name] for name in budgets], axis=0) & inside
    if not keeps.any():
        cheapest = {name: costs[name][inside].min() for name in budgets}
        raise InputError(
            "no configuration near the studied ones keeps "
            f"{_limits(budgets, 'the cheapest needs', cheapest)}; "
            "raise the budget, or give --extrapolate to look outside the data"
        )
    return keeps


def check_reach(costs: Mapping[str, Floats], budgets: Mapping[str, float], inside: Mask) -> None:
    """Raises InputError if every budget is 1.5 times the cost of the dearest candidate or more."""
    dearest = {name: costs[name][inside].max() for name in budgets}
    if all(budgets[name] > 1.5 * dearest[name] for name in budgets):
        raise InputError(
            f"the budget lies outside the data: {_limits(budgets, 'this study reaches', dearest)}; "
            "give --extrapolate to look there"
        )


def _limits(budgets: Mapping[str, float], words: str, costs: Mapping[str, float]) -> str:
    return "; ".join(
        f"{BUDGETS[name].option} {limit:g} ({words} {costs[name]:.3g})"
        for name, limit in budgets.items()
    )
