"""The integrated gap between two arms: mean ln(error) difference at equal cost, with its interval.

Each arm's ln(error) is interpolated over ln(cost) by a fixed linear rule, so the gap is a fixed
linear combination of cell means, sum(omega_i y_i), and its variance is exact.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from analysis.stats.cost_errors import cost_errors
from analysis.stats.interpolation import Floats, arm_weights, overlap_of, smoother
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.measure import ERROR, Measure
from analysis.study.noise import Noise, Variance, welch_satterthwaite

# Errors that agree exactly leave rounding noise alone.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Gap:
    """Second arm minus first, relative error: 0.01 says the first has 1 % less error at equal cost.

    Where `measure` compares raw differences it is one, in units of the outcome.
    `weights` are the omegas by config_id; `level` is the mean error over the overlap (fraction),
    so estimate * level is the gap in error; `overlap` is (low, high) cost by setting of other axes.
    `se` has the error's variances of `errors`, each with its degrees of freedom, and that of
    `timing`: what one SE of each measured cost does to the gap, with `timing_df` for all.
    `population_se` is the part that other images or classes add, where the rules ask for it,
    `floor` what one SE of a fitted floor does to the gap. `uncut` is what the estimate was before
    it and its interval were cut off at 0; `se` is about that.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    level: float = 1.0
    cost_se: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    overlap: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    errors: tuple[Variance, ...] = ()
    timing: Mapping[Hashable, float] = field(default_factory=dict)
    timing_df: float = math.inf
    population_se: float = 0.0
    floor: float = 0.0
    measure: Measure = ERROR
    uncut: float | None = None

    @property
    def assumed(self) -> bool:
        """Whether a prior says how runs scatter, not their seeds."""
        return any(part.assumed for part in self.errors)


@dataclass(frozen=True)
class Estimand:
    """What is averaged: by default ln(error), guarded quadratic basis, over the whole overlap.

    `scale` is for outcomes that are compared by logarithms; raw differences have one scale.
    """

    axis: str
    linear: bool = False
    scale: Literal["log", "error"] = "log"
    top: bool = False


def t_quantile(df: float, p: float) -> float:
    """Quantile of Student's t; df may be infinite."""
    return float(stdtrit(min(df, 1e9), p))


def _at(cells: Sequence[Cell], values: Mapping[str, float]) -> Floats:
    return np.array([values[c.config_id] for c in cells])


def _combine(
    pairs: Sequence[Pair], x: Mapping[str, float], estimand: Estimand
) -> tuple[dict[str, float], dict[str, float], dict[str, tuple[float, float]]] | None:
    """Omegas of the gap, weights of the mean level, overlaps; None where arms do not overlap."""
    gap: dict[str, float] = {}
    level: dict[str, float] = {}
    overlaps = {}
    for pair in pairs:
        x_first, x_second = _at(pair.first, x), _at(pair.second, x)
        bounds = overlaps[pair.label] = overlap_of(x_first, x_second)
        if bounds[1] <= bounds[0]:
            return None
        for sign, arm, nodes in ((-1, pair.first, x_first), (1, pair.second, x_second)):
            if estimand.top:
                weights = smoother(nodes, np.array(bounds[1:]), estimand.linear)[0]
            else:
                weights = arm_weights(nodes, *bounds, estimand.linear)
            for cell, w in zip(arm, weights / len(pairs), strict=True):
                gap[cell.config_id] = gap.get(cell.config_id, 0.0) + sign * float(w)
                level[cell.config_id] = level.get(cell.config_id, 0.0) + float(w) / 2
    return gap, level, overlaps


def check_overlap(pairs: Sequence[Pair], axis: str, min_overlap: float) -> dict[str, float]:
    """ln(cost) by config_id; PreconditionError unless all pairs of arms share a cost range."""
    if not pairs:
        raise PreconditionError(
            "no resolution has two cells or more, with their cost, in both arms"
        )
    costs = {c.config_id: c.cost(axis) for pair in pairs for c in pair.cells}
    x = {config_id: math.log(cost) for config_id, cost in costs.items() if cost is not None}
    for pair in pairs:
        low, high = overlap_of(_at(pair.first, x), _at(pair.second, x))
        if high - low < math.log(min_overlap):
            share = f"{math.exp(high - low):.2f}x" if high > low else "no"
            raise PreconditionError(
                f"{pair.where}the arms share {share} range of {axis}; {min_overlap:g}x is needed"
            )
    return x


def combine_weights(
    pairs: Sequence[Pair], estimand: Estimand, min_overlap: float
) -> dict[str, float]:
    """The omegas of the gap by config_id; raises as `check_overlap`."""
    x = check_overlap(pairs, estimand.axis, min_overlap)
    combined = _combine(pairs, x, estimand)
    assert combined is not None
    return combined[0]


def _timing(
    pairs: Sequence[Pair], x: Mapping[str, float], y: Mapping[str, float], estimand: Estimand
) -> tuple[dict[Hashable, float], float]:
    """What one SE of each measured cost does to the gap, errors fixed, and its df.

    It is half the difference of the gap with this cost one SE higher and lower.
    """
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    errors, df = cost_errors([*cells.values()], estimand.axis)
    found = {}
    for key, (se, ids) in errors.items():
        if se < ROUNDING:
            continue
        moved = [pair for pair in pairs if any(c.config_id in ids for c in pair.cells)]
        ends = []
        for step in (se, -se):
            combined = _combine(moved, {**x, **{i: x[i] + step for i in ids}}, estimand)
            if combined is None:
                percent = f"{100 * se:.0f} %"
                raise PreconditionError(
                    f"{estimand.axis} is too uncertain to compare at ({percent})"
                )
            ends.append(sum(w * y[i] for i, w in combined[0].items()))
        found[key] = (ends[0] - ends[1]) / 2 * len(moved) / len(pairs)
    return found, df


def gap_of(
    pairs: Sequence[Pair], noise: Noise, estimand: Estimand, alpha: float, min_overlap: float
) -> Gap:
    """The gap averaged over the pairs' resolutions with its 1 - alpha interval.

    Var = sum(omega_i^2 v_i / (n_i e_i^2)) by the delta method for ln(error), plus what measured
    costs and a fitted floor add; without the e_i where raw differences are compared. The v_i
    are the cells' own, moderated by the pooled variance (`Noise.of_sum`).

    Raises:
        PreconditionError: an arm has one cell, or the arms' common range of cost, as a ratio, is
            less than `min_overlap`, or all replicates agree exactly.
    """
    x = check_overlap(pairs, estimand.axis, min_overlap)
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    measure = measure_of_gap([*cells.values()])
    combined = _combine(pairs, x, estimand)
    assert combined is not None
    weights, levels, overlaps = combined
    log = measure.log and estimand.scale == "log"
    y = {key: math.log(c.error) if log else c.error for key, c in cells.items()}
    factors = {
        key: weights[key] ** 2 / (c.n * (c.error**2 if log else 1.0)) for key, c in cells.items()
    }
    variance = noise.of_sum(factors)
    timing, timing_df = _timing(pairs, x, y, estimand)
    estimate = sum(w * y[key] for key, w in weights.items())
    level = sum(w * y[key] for key, w in levels.items())
    unit = level if measure.log and not log else 1.0
    gap = Gap(
        estimate=estimate / unit,
        level=math.exp(level) if log else unit,
        measure=measure,
        floor=floor_effect(cells, weights) if log else 0.0,
        weights=weights,
        overlap={label: (math.exp(a), math.exp(b)) for label, (a, b) in overlaps.items()},
        se=math.nan,
        df=math.nan,
        low=math.nan,
        high=math.nan,
    )
    timing = {key: effect / unit for key, effect in timing.items()}
    variance = variance._replace(value=variance.value / unit**2)
    return with_interval(gap, [variance], timing, timing_df, alpha)


def measure_of_gap(cells: Sequence[Cell]) -> Measure:
    """What cells are compared by; PreconditionError where one has no logarithm and needs one."""
    measure = cells[0].measure
    if measure.log and any(c.error <= 0 for c in cells):
        raise PreconditionError("a cell makes no errors, so relative error is not defined")
    return measure


def floor_effect(cells: Mapping[str, Cell], weights: Mapping[str, float]) -> float:
    """What one SE of a fitted floor E does to sum(omega_i ln(y_i - E)); 0 without such a floor."""
    floor = next(iter(cells.values())).measure.floor
    if floor is None:
        return 0.0
    return -floor.se * sum(w / cells[key].error for key, w in weights.items())


def with_interval(
    gap: Gap,
    errors: Sequence[Variance],
    timing: Mapping[Hashable, float],
    timing_df: float,
    alpha: float,
) -> Gap:
    """The gap with the 1 - alpha interval of these independent variances: see `Gap`.

    Raises:
        PreconditionError: the variance is zero.
    """
    cost = sum(effect**2 for effect in timing.values())
    known = [*errors, Variance(cost, timing_df)]
    if gap.measure.floor is not None:
        known.append(Variance(gap.floor**2, gap.measure.floor.df))
    variance, df, _ = welch_satterthwaite(known)
    se = math.sqrt(variance)
    if se < ROUNDING:
        raise PreconditionError("replicates agree exactly, so there is no noise to judge by")
    half = t_quantile(df, 1 - alpha / 2) * se
    return replace(
        gap,
        se=se,
        df=df,
        low=gap.estimate - half,
        high=gap.estimate + half,
        cost_se=math.sqrt(cost),
        errors=tuple(errors),
        timing=dict(timing),
        timing_df=timing_df,
    )
