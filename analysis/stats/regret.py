"""What is lost by choosing between two arms in one regime for another: regret.

It is the target regime's mean error of the arm that truly has the smaller error in the source
regime, minus the other arm's, or 0 if that is not positive; both are means over ln(cost), where all
arms have values, and over settings. It jumps where the source regime's gap is 0.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtr

from analysis.stats.contrast import ROUNDING, Gap, floor_effect, with_interval
from analysis.stats.cost_errors import cost_errors
from analysis.stats.interpolation import Floats, overlap_of, smoother
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise

POINTS = 400
# Bounds and p values of normal noise are those of t with very many degrees of freedom.
MOST_DF = 1e9
Regime = Literal["source", "target"]


@dataclass(frozen=True)
class Transfer:
    """Regret in the target regime of choosing by the source regime, per setting of other axes.

    `regret` and its members are fractions of error; `p_supported` and `p_refuted` the one-sided p
    values for and against "more than the margin"; `source_gap` is ln(error) of the second arm minus
    the first's in the source regime. By point estimates: `by_pair` is the loss at each setting if
    an arm is chosen at each cost by itself, `flip_share` the share of the common cost range where
    the better arm changes; `ranks` Kendall's tau-b between the regimes' errors of the
    configurations at each setting. (Over all settings it would mostly rank the settings.)
    """

    regret: Gap
    p_supported: float
    p_refuted: float
    source_gap: Gap
    by_pair: dict[str, float]
    flip_share: float
    ranks: dict[str, float]


@dataclass(frozen=True)
class _Curves:
    """Both arms of one pair in one regime as linear maps from ln(error) of cells to a cost grid."""

    cells: tuple[Cell, ...]
    first: Floats
    second: Floats


@dataclass(frozen=True)
class Common:
    """Both regimes' arms at one setting of the other axes, and ln(cost) where all have values."""

    source: Pair
    target: Pair
    grid: Floats

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (*self.source.cells, *self.target.cells)


def common_ranges(source: Sequence[Pair], target: Sequence[Pair], cost: str) -> dict[str, Common]:
    """What can be compared in both regimes, by its label.

    Raises:
        PreconditionError: no common arms or costs, or a cell without errors.
    """
    found = [{p.label: p for p in pairs} for pairs in (source, target)]
    both = {label: (pair, found[1][label]) for label, pair in found[0].items() if label in found[1]}
    if not both:
        raise PreconditionError("no setting has two cells or more in both arms of both regimes")
    for label, pairs in both.items():
        if any(c.measure.log and c.error <= 0 for pair in pairs for c in pair.cells):
            raise PreconditionError(f"at {label} a cell makes no errors, which has no logarithm")
    x = ln_costs(both.values(), cost)
    return {label: Common(*pairs, _grid(*pairs, x, cost)) for label, pairs in both.items()}


def ln_costs(pairs: Iterable[tuple[Pair, Pair]], cost: str) -> dict[str, float]:
    """ln(cost) of the cells of both regimes, by config_id."""
    cells = (c for both in pairs for pair in both for c in pair.cells)
    return {c.config_id: math.log(c.cost(cost) or math.nan) for c in cells}


def _curves(pair: Pair, x: Mapping[str, float], grid: Floats) -> _Curves:
    first, second = (smoother(np.array([x[c.config_id] for c in arm]), grid) for arm in pair[1:])
    zeros = np.zeros((len(grid), 1))
    wide_first = np.hstack([first, np.tile(zeros, second.shape[1])])
    wide_second = np.hstack([np.tile(zeros, first.shape[1]), second])
    return _Curves(pair.cells, wide_first, wide_second)


def _grid(source: Pair, target: Pair, x: Mapping[str, float], cost: str) -> Floats:
    """Evenly spaced ln(cost) over the range that both arms share in both regimes."""
    bounds = []
    for pair in (source, target):
        logs = [np.array([x[c.config_id] for c in arm]) for arm in (pair.first, pair.second)]
        bounds.append(overlap_of(logs[0], logs[1]))
    low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
    if high <= low:
        raise PreconditionError(f"{target.where}the regimes share no range of {cost}")
    return np.linspace(low, high, POINTS)


def _regret(source: _Curves, target: _Curves, y_source: Floats, y_target: Floats) -> Floats:
    """Mean over the grid of target error of the arm chosen by source, minus the smaller error.

    `y_*` are (draws, cells) on the scale of comparison; the result has one value per draw.
    """
    unscaled = target.cells[0].measure.unscaled
    choose_first = y_source @ source.first.T <= y_source @ source.second.T
    first, second = unscaled(y_target @ target.first.T), unscaled(y_target @ target.second.T)
    chosen = np.where(choose_first, first, second)
    return np.asarray((chosen - np.minimum(first, second)).mean(axis=1))


def _scaled(cells: Sequence[Cell]) -> Floats:
    """The outcomes on the scale on which they are compared, (1, cells)."""
    return np.array([[c.scaled for c in cells]])


def _estimate(curves: Sequence[_Curves], log: bool) -> tuple[float, dict[str, float]]:
    """Mean over grids of the second arm's (ln) error minus the first's, and its slopes by cell."""
    slopes: dict[str, float] = {}
    estimate = 0.0
    for each in curves:
        y = _scaled(each.cells)[0]
        first, second = each.first @ y, each.second @ y
        measure = each.cells[0].measure
        raw = log or not measure.log  # the curves themselves are compared
        levels = np.ones((2, len(first))) if raw else np.exp([first, second])
        estimate += float(np.mean(second - first if raw else levels[1] - levels[0]))
        parts = (levels[1][:, None] * each.second - levels[0][:, None] * each.first).mean(axis=0)
        for cell, slope in zip(each.cells, parts.tolist(), strict=True):
            slopes[cell.config_id] = slopes.get(cell.config_id, 0.0) + slope / len(curves)
    return estimate / len(curves), slopes


def _mean_gap(
    common: Sequence[Common], regime: Regime, noise: Noise, cost: str, alpha: float
) -> Gap:
    """The gap of both arms in one regime: of ln(error) in the source, of error in the target.

    Its variance is by the delta method with `noise`, and measured costs add to it as in `gap_of`.
    """
    x, log = ln_costs([(c.source, c.target) for c in common], cost), regime == "source"

    def estimate(among: Sequence[Common], x: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        curves = (_curves(getattr(c, regime), x, _grid(c.source, c.target, x, cost)) for c in among)
        return _estimate([*curves], log)

    value, slopes = estimate(common, x)
    cells = {c.config_id: c for each in common for c in each.cells}
    factors = {k: (w * cells[k].slope) ** 2 / cells[k].n for k, w in slopes.items()}
    known, timing_df = cost_errors([*cells.values()], cost)
    timing = {}
    for key, (se, ids) in known.items():
        if se > ROUNDING:
            moved = [c for c in common if any(k.config_id in ids for k in c.cells)]
            high, low = (estimate(moved, {**x, **{i: x[i] + d for i in ids}})[0] for d in (se, -se))
            timing[key] = (high - low) / 2 * len(moved) / len(common)
    measure = next(iter(cells.values())).measure
    floor = floor_effect(cells, slopes)
    nan = math.nan
    blank = Gap(value, nan, nan, nan, nan, weights=slopes, measure=measure, floor=floor)
    gap = with_interval(blank, [noise.of_sum(factors)], timing, timing_df, alpha)
    return replace(gap, df=min(gap.df, MOST_DF))


def transfer_of(
    common: Mapping[str, Common],
    noises: tuple[Noise, Noise],
    cost: str,
    alpha: float,
    margin: float,
) -> Transfer:
    """Regret of choosing between two arms by the source regime for the target; by `noises` of both.

    Where the source regime's interval contains 0 the interval of the regret covers both choices.
    "More than the margin" needs that one choice is excluded and that the other loses more; "less"
    that every choice is excluded or loses less. Seeds of both regimes are independent.

    Raises:
        PreconditionError: all replicates agree exactly.
    """
    x = ln_costs([(both.source, both.target) for both in common.values()], cost)
    source = [_curves(both.source, x, both.grid) for both in common.values()]
    target = [_curves(both.target, x, both.grid) for both in common.values()]
    chosen = _mean_gap([*common.values()], "source", noises[0], cost, alpha)
    lost = _mean_gap([*common.values()], "target", noises[1], cost, alpha)
    logs = [_scaled(c.cells) for c in source], [_scaled(c.cells) for c in target]
    by_pair = [float(_regret(*each)[0]) for each in zip(source, target, *logs, strict=True)]
    signs = [
        [np.sign(y @ (c.second - c.first).T) for c, y in zip(curves, ys, strict=True)]
        for curves, ys in zip((source, target), logs, strict=True)
    ]
    flips = [float((a != b).mean()) for a, b in zip(*signs, strict=True)]
    gap, p_supported, p_refuted = _loss_of_choice(chosen, lost, margin)
    return Transfer(
        regret=gap,
        p_supported=p_supported,
        p_refuted=p_refuted,
        source_gap=chosen,
        by_pair=dict(zip(common, by_pair, strict=True)),
        flip_share=float(np.mean(flips)),
        ranks={label: _tau(both.source, both.target) for label, both in common.items()},
    )


def _loss_of_choice(chosen: Gap, lost: Gap, margin: float) -> tuple[Gap, float, float]:
    """The regret with its interval, and the p values that it is above and below the margin.

    `chosen` is the gap that chooses, `lost` that of the errors where it is lost, each second minus
    first: choosing the first arm loses -`lost`, choosing the second `lost`.
    """
    signs = (-1, 1)
    against = [float(stdtr(chosen.df, -sign * chosen.estimate / chosen.se)) for sign in signs]
    distances = [(sign * lost.estimate - margin) / lost.se for sign in signs]
    above = [float(stdtr(lost.df, -d)) for d in distances]
    below = [float(stdtr(lost.df, d)) for d in distances]
    # The first arm is possible unless the whole interval of the gap is below 0, and so on.
    possible = [
        sign for sign, end in zip(signs, (chosen.high, -chosen.low), strict=True) if end > 0
    ]
    ends = [sorted((sign * lost.low, sign * lost.high)) for sign in possible]
    low, high = max(0.0, min(e[0] for e in ends)), max(0.0, max(e[1] for e in ends))
    uncut = -float(np.sign(chosen.estimate)) * lost.estimate
    return (
        replace(lost, estimate=max(0.0, uncut), low=low, high=high, uncut=uncut),
        min(max(against[1 - i], above[i]) for i in (0, 1)),
        max(min(against[i], below[i]) for i in (0, 1)),
    )


def _tau(source: Pair, target: Pair) -> float:
    """Kendall's tau-b of the errors of the configurations that both regimes have."""
    # Only here: it takes longer to load than a plan to make, and planning needs `common_ranges`.
    from scipy.stats import kendalltau

    errors = [
        {(c.depth, c.width, c.resolution): c.error for c in p.cells} for p in (source, target)
    ]
    both = [key for key in errors[0] if key in errors[1]]
    return float(kendalltau([errors[0][k] for k in both], [errors[1][k] for k in both]).statistic)
