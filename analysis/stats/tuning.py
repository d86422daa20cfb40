"""The gap between two arms with each at its own best learning rate.

At each end of an arm three learning rates give a parabola of ln(error) in ln(rate). Between its
ends an arm has their coefficients in proportion to ln(cost), so that the error of each of its cells
at its best rate follows too: it is lower by the parabola's least value between the outermost rates.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.stats.best_rate import BestRate, Rates, best_rate, least
from analysis.stats.cell_means import CellMeans
from analysis.stats.contrast import Estimand, Gap, with_interval
from analysis.stats.interpolation import Floats
from analysis.study.arms import Pair
from analysis.study.noise import Noise


@dataclass(frozen=True)
class Tuning:
    """Gaps with both arms at their best learning rates (`best`) and at the recipe's (`recipe`).

    `favour` is recipe minus best: what the recipe's rate does for the first arm.
    """

    best: Gap
    recipe: Gap
    favour: Gap
    ends: tuple[BestRate, ...]

    @property
    def outside(self) -> str:
        """In words whose best learning rate lies outside those tried; empty if nobody's does."""
        found = [end for end in self.ends if end.outside]
        if not found:
            return ""
        regimes = len({end.epochs for end in self.ends}) > 1
        names = (
            f"{e.name} at {self.best.measure.at(e.epochs)}" if regimes else e.name for e in found
        )
        low, high = found[0].tried
        return (
            f"the best learning rate of {' and of '.join(names)} lies outside those tried, "
            f"{low:g} to {high:g} times the recipe's"
        )


def tuned(
    gap: Gap,
    pairs: Sequence[Pair],
    ends: Mapping[str, Rates],
    noise: Noise,
    estimand: Estimand,
    alpha: float,
) -> Tuning:
    """What becomes of a gap at the recipe's rate with each cell at its best learning rate.

    `ends` are the first, then the last cells of the arms in `pairs` by config_id; `noise` knows
    their cells at other rates too. The position of a minimum does not matter to first order,
    because the slope there is zero; to second order a noisy parabola has too low a minimum, and
    `CellMeans.moments` takes that bias out and its scatter in. Raises PreconditionError as
    `with_interval`.
    """
    known = {c.config_id: c for pair in pairs for c in pair.cells}
    own = tuple(known[key] for key in gap.weights)
    others = (c for end in ends.values() for c in end.cells if c.config_id not in known)
    means = CellMeans((*own, *others), noise)
    groups = [means.at(end.cells) for end in ends.values()]
    at_best, shares = _at_best(gap, pairs, ends, groups, estimand), len(own)
    weights = np.array([*gap.weights.values()])

    def value(y: Floats, tune: bool) -> Floats:
        logs = at_best(y) if tune else y[..., :shares]
        if gap.measure.log and estimand.scale == "error":
            return np.asarray(np.exp(logs) @ weights / gap.level)
        return np.asarray(logs @ weights)

    def interval(of: Callable[[Floats], Floats], timed: bool) -> Gap:
        estimate, errors = means.moments(of, groups)
        timing, df = (gap.timing, gap.timing_df) if timed else ({}, math.inf)
        return with_interval(replace(gap, estimate=estimate), errors, timing, df, alpha)

    return Tuning(
        best=interval(lambda y: value(y, True), timed=True),
        recipe=gap,
        favour=interval(lambda y: value(y, False) - value(y, True), timed=False),
        ends=tuple(best_rate(end, noise, alpha) for end in ends.values()),
    )


def _at_best(
    gap: Gap,
    pairs: Sequence[Pair],
    ends: Mapping[str, Rates],
    groups: Sequence[Sequence[int]],
    estimand: Estimand,
) -> Callable[[Floats], Floats]:
    """From means of ln(error), (..., all cells), to those of the gap's cells at best rates."""
    shares = _shares(gap, pairs, list(ends), estimand.axis)
    contrasts = np.stack([end.contrasts for end in ends.values()], axis=1)
    low, high = np.array([end.x for end in ends.values()]).T @ shares.T

    def at_best(y: Floats) -> Floats:
        at_ends = y[..., np.array(groups)]
        b, c = ((at_ends * w).sum(axis=-1) @ shares.T for w in contrasts)
        return np.asarray(y[..., : len(shares)] + least(b, c, low, high))

    return at_best


def _shares(gap: Gap, pairs: Sequence[Pair], ends: Sequence[str], axis: str) -> Floats:
    """How much each cell of the gap has of each end, (cells, ends); rows sum to 1."""
    place = {key: number for number, key in enumerate(gap.weights)}
    found = np.zeros((len(place), len(ends)))
    for pair in pairs:
        for arm in (pair.first, pair.second):
            x = {c.config_id: math.log(c.cost(axis) or 1.0) for c in arm}
            first, last = (key for key in ends if key in x)
            for key, value in x.items():
                share = (value - x[first]) / (x[last] - x[first])
                found[place[key]] = 0.0
                found[place[key], [ends.index(first), ends.index(last)]] = 1 - share, share
    return found
