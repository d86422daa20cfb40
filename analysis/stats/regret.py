"""What is lost by choosing between two arms in one regime for another: regret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.contrast import Gap
from analysis.stats.interpolation import Floats, overlap_of, smoother
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise

POINTS = 400
DRAWS = 2000


@dataclass(frozen=True)
class Transfer:
    """Regret in the target regime of choosing by the source regime, per setting of other axes.

    `regret` and its members are fractions of error; `by_pair` the uncorrected regret at each
    setting; `flip_share` the share of the common cost range where the better arm changes, by point
    estimates; `ranks` Kendall's tau-b between the regimes' errors of the configurations at each
    setting. (Over all settings it would mostly rank the settings.)
    """

    regret: Gap
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
        if any(c.error <= 0 for pair in pairs for c in pair.cells):
            raise PreconditionError(f"at {label} a cell makes no errors, which has no logarithm")
    return {label: Common(*pairs, _grid(*pairs, cost)) for label, pairs in both.items()}


def _curves(pair: Pair, cost: str, grid: Floats) -> _Curves:
    def matrix(arm: tuple[Cell, ...]) -> Floats:
        return smoother(np.log([c.cost(cost) or np.nan for c in arm]), grid)

    first, second = matrix(pair.first), matrix(pair.second)
    zeros = np.zeros((len(grid), 1))
    wide_first = np.hstack([first, np.tile(zeros, second.shape[1])])
    wide_second = np.hstack([np.tile(zeros, first.shape[1]), second])
    return _Curves(pair.cells, wide_first, wide_second)


def _grid(source: Pair, target: Pair, cost: str) -> Floats:
    """Evenly spaced ln(cost) over the range that both arms share in both regimes."""
    bounds = []
    for pair in (source, target):
        logs = [np.log([c.cost(cost) or np.nan for c in arm]) for arm in (pair.first, pair.second)]
        bounds.append(overlap_of(logs[0], logs[1]))
    low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
    if high <= low:
        raise PreconditionError(f"at {target.label} the regimes share no range of {cost}")
    return np.linspace(low, high, POINTS)


def _regret(source: _Curves, target: _Curves, y_source: Floats, y_target: Floats) -> Floats:
    """Mean over the grid of target error of the arm chosen by source, minus the smaller error.

    `y_*` are (draws, cells) of ln(error); the result has one value per draw.
    """
    choose_first = y_source @ source.first.T <= y_source @ source.second.T
    first, second = np.exp(y_target @ target.first.T), np.exp(y_target @ target.second.T)
    chosen = np.where(choose_first, first, second)
    return np.asarray((chosen - np.minimum(first, second)).mean(axis=1))


def _logs(cells: Sequence[Cell]) -> Floats:
    return np.log([[c.error for c in cells]])


def _drawn(
    cells: Sequence[Cell], noise: Noise, drawn: dict[str, Floats], rng: np.random.Generator
) -> Floats:
    """(draws, cells) of ln(error); a cell that is in two arms is drawn once."""
    for c in cells:
        if c.config_id not in drawn:
            se = np.sqrt(noise.variances[c.config_id] / c.n) / c.error
            drawn[c.config_id] = np.log(c.error) + se * rng.standard_normal(DRAWS)
    return np.column_stack([drawn[c.config_id] for c in cells])


def transfer_of(
    common: Mapping[str, Common], noises: tuple[Noise, Noise], cost: str, alpha: float
) -> Transfer:
    """Regret of choosing between two arms by the source regime for the target; by `noises` of both.

    The interval comes from redrawn cell means, and the bias that the minimum causes is subtracted
    (Efron & Tibshirani 1993, chapter 10).
    """
    rng = np.random.default_rng(20210317)
    drawn: dict[str, Floats] = {}
    by_pair: dict[str, float] = {}
    draws, flips = [], []
    for label, both in common.items():
        a, b = (_curves(pair, cost, both.grid) for pair in (both.source, both.target))
        by_pair[label] = float(_regret(a, b, _logs(a.cells), _logs(b.cells))[0])
        y = [_drawn(c.cells, noise, drawn, rng) for c, noise in zip((a, b), noises, strict=True)]
        draws.append(_regret(a, b, y[0], y[1]))
        signs = [np.sign(_logs(c.cells) @ (c.second - c.first).T) for c in (a, b)]
        flips.append(float((signs[0] != signs[1]).mean()))
    point, drawn_means = float(np.mean([*by_pair.values()])), np.mean(draws, axis=0)
    bias, se = float(drawn_means.mean()) - point, max(float(drawn_means.std(ddof=1)), 1e-12)
    low, high = np.quantile(drawn_means, [alpha / 2, 1 - alpha / 2]) - bias
    gap = Gap(point - bias, se, float("inf"), float(low), float(high))
    ranks = {label: _tau(both.source, both.target) for label, both in common.items()}
    return Transfer(gap, by_pair, float(np.mean(flips)), ranks)


def _tau(source: Pair, target: Pair) -> float:
    """Kendall's tau-b of the errors of the configurations that both regimes have."""
    # Only here: it takes longer to load than a plan to make, and planning needs `common_ranges`.
    from scipy.stats import kendalltau

    errors = [
        {(c.depth, c.width, c.resolution): c.error for c in p.cells} for p in (source, target)
    ]
    both = [key for key in errors[0] if key in errors[1]]
    return float(kendalltau([errors[0][k] for k in both], [errors[1][k] for k in both]).statistic)
