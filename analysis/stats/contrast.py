"""The integrated gap between two arms: mean ln(error) difference at equal cost, with its interval.

Each arm's ln(error) is interpolated over ln(cost) by a fixed linear rule, so the gap is a fixed
linear combination of cell means, sum(omega_i y_i), and its variance is exact.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from analysis.stats.interpolation import Floats, arm_weights, overlap_of, smoother
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise

# Errors that agree exactly leave rounding noise alone.
ROUNDING = 1e-12
COST_SD = 0.02
COST_DRAWS = 200


@dataclass(frozen=True)
class Gap:
    """Second arm minus first, relative error: 0.01 says the first has 1 % less error at equal cost.

    `weights` are the omegas by config_id; `level` is the mean error over the overlap (fraction),
    so estimate * level is the gap in error; `overlap` is (low, high) cost by setting of other axes.
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


@dataclass(frozen=True)
class Estimand:
    """What is averaged: by default ln(error), guarded quadratic basis, over the whole overlap."""

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
                f"at {pair.label} the arms share {share} range of {axis}; "
                f"{min_overlap:g}x is needed"
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


def _cost_se(
    pairs: Sequence[Pair], x: Mapping[str, float], y: Mapping[str, float], estimand: Estimand
) -> float:
    """SE of the gap from timing noise: costs redrawn, errors fixed; 0 if seeds agree within 2 %."""
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    logs = {key: np.log(c.costs[estimand.axis]) for key, c in cells.items()}
    df = sum(len(v) - 1 for v in logs.values())
    if df == 0:
        return 0.0
    sd = math.sqrt(
        sum(float(np.var(v, ddof=1)) * (len(v) - 1) for v in logs.values() if len(v) > 1) / df
    )
    if sd <= COST_SD:
        return 0.0
    generator = np.random.default_rng(20210307)
    gaps = []
    for _ in range(COST_DRAWS):
        drawn = {
            k: x[k] + float(generator.normal(0, sd / math.sqrt(len(v)))) for k, v in logs.items()
        }
        if combined := _combine(pairs, drawn, estimand):
            gaps.append(sum(w * y[key] for key, w in combined[0].items()))
    if len(gaps) < COST_DRAWS / 2:
        raise PreconditionError(f"{estimand.axis} varies too much between seeds ({100 * sd:.0f} %)")
    return float(np.std(gaps, ddof=1))


def gap_of(
    pairs: Sequence[Pair], noise: Noise, estimand: Estimand, alpha: float, min_overlap: float
) -> Gap:
    """The gap averaged over the pairs' resolutions with its 1 - alpha interval.

    Var = sum(omega_i^2 v_i / (n_i e_i^2)) by the delta method for ln(error), plus timing noise; the
    v_i are the cells' own, moderated by the pooled variance (`Noise.of_sum`).

    Raises:
        PreconditionError: an arm has one cell, or the arms' common range of cost, as a ratio, is
            less than `min_overlap`.
    """
    x = check_overlap(pairs, estimand.axis, min_overlap)
    if any(c.error <= 0 for pair in pairs for c in pair.cells):
        raise PreconditionError("a cell makes no errors, so relative error is not defined")
    combined = _combine(pairs, x, estimand)
    assert combined is not None
    weights, levels, overlaps = combined
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    log = estimand.scale == "log"
    y = {key: math.log(c.error) if log else c.error for key, c in cells.items()}
    factors = {
        key: weights[key] ** 2 / (c.n * (c.error**2 if log else 1.0)) for key, c in cells.items()
    }
    variance, df = noise.of_sum(factors)
    cost_se = _cost_se(pairs, x, y, estimand)
    estimate = sum(w * y[key] for key, w in weights.items())
    level = sum(w * y[key] for key, w in levels.items())
    unit = 1.0 if log else level
    se = math.sqrt(variance + cost_se**2) / unit
    if se < ROUNDING:
        raise PreconditionError("replicates agree exactly, so there is no noise to judge by")
    half = t_quantile(df, 1 - alpha / 2) * se
    return Gap(
        estimate=estimate / unit,
        se=se,
        df=df,
        low=estimate / unit - half,
        high=estimate / unit + half,
        level=math.exp(level) if log else level,
        cost_se=cost_se / unit,
        weights=weights,
        overlap={label: (math.exp(a), math.exp(b)) for label, (a, b) in overlaps.items()},
    )
