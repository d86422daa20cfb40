"""What single scaling steps buy: error by cost, whether returns diminish, and where steps harm."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import betaincinv, stdtr, stdtrit

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats
from analysis.laws.number import Number, by_t
from analysis.laws.points import Points, Rows, steps
from analysis.stats.decision import Verdict, value_of
from analysis.study.noise import moderated
from scaling_study.common.errors import InputError

LARGE = 320
SMALL = 160
# Steps of each kind; fewer do not show how steps of that kind scatter.
FEWEST = 3
# Row numbers of configurations before and after each step.
Steps = tuple[Rows, Rows]


@dataclass(frozen=True)
class Step:
    """Mean elasticity of the steps from one level of an axis to the next, and its SE."""

    start: float
    stop: float
    estimate: float
    sem: float
    n: int


@dataclass(frozen=True)
class Returns(Number):
    """A difference of mean elasticities of `n` steps of both kinds; its SE is between steps."""

    n: tuple[int, int]


def elasticity(points: Points, a: Rows, b: Rows) -> Floats:
    """-ln(e_b / e_a) / ln(C_b / C_a): part of the error that one e-fold of cost removes."""
    error, cost = np.log(points["error"]), np.log(points["cost"])
    return np.asarray(-(error[b] - error[a]) / (cost[b] - cost[a]), dtype=np.float64)


def by_step(points: Points, axis: str = "resolution") -> tuple[Step, ...]:
    """Mean elasticity of each step along an axis."""
    a, b = steps(points, axis)
    eps, start = elasticity(points, a, b), points[axis][a]
    found = []
    for low, high in pairwise(np.unique(points[axis]).tolist()):
        chosen = eps[start == low]
        if n := len(chosen):
            sem = float(np.std(chosen, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
            found.append(Step(low, high, float(chosen.mean()), sem, n))
    return tuple(found)


def _enough(first: Steps, second: Steps, kinds: str) -> tuple[Steps, Steps]:
    counts = len(first[0]), len(second[0])
    if min(counts) < FEWEST:
        raise InputError(f"{counts[0]} and {counts[1]} {kinds}; {FEWEST} of each are needed")
    return first, second


def resolution_steps(points: Points) -> tuple[Steps, Steps]:
    """Resolution steps (before, after) from 320 px on, and those from up to 160 px.

    Raises:
        InputError: fewer than three steps on either side.
    """
    a, b = steps(points, "resolution")
    start = points["resolution"][a]
    high, low = ((a[side], b[side]) for side in (start >= LARGE, start <= SMALL))
    kinds = f"resolution steps from {LARGE} px on and from up to {SMALL} px"
    return _enough(high, low, kinds)


def depth_and_resolution_steps(points: Points) -> tuple[Steps, Steps]:
    """Depth steps and resolution steps (before, after), both from 320 px on.

    Depth steps count at the resolutions that resolution steps start from. Raises InputError if
    there are fewer than three steps of either kind.
    """
    (a, b), (c, d) = steps(points, "depth"), steps(points, "resolution")
    px = points["resolution"]
    large = px[c] >= LARGE
    deep = np.isin(px[a], px[c][large])
    kinds = f"depth and resolution steps from {LARGE} px on"
    return _enough((a[deep], b[deep]), (c[large], d[large]), kinds)


@dataclass(frozen=True)
class _Means:
    """Mean elasticities of two kinds of steps, and how the steps of each kind scatter.

    `variances` are those of single steps, of which there are `n`.
    """

    first: float
    second: float
    variances: tuple[float, float]
    n: tuple[int, int]

    @classmethod
    def of(cls, first: Floats, second: Floats) -> "_Means":
        variances = float(np.var(first, ddof=1)), float(np.var(second, ddof=1))
        counts = len(first), len(second)
        return cls(float(first.mean()), float(second.mean()), variances, counts)

    def beyond(self, ratio: float) -> tuple[float, float, float]:
        """first - ratio * second with its SE and degrees of freedom.

        The fewer of Welch's and of those with variances drawn towards the pooled one (`moderated`):
        by Welch's alone, three steps that lie close by chance beside many others cover 92 %.
        """
        dfs, variances = np.array(self.n) - 1.0, np.array(self.variances)
        factors = np.array([1.0, ratio**2]) / self.n
        terms = factors * variances
        welch = float(terms.sum() ** 2 / np.sum(terms**2 / dfs))
        _, df = moderated(factors, variances, dfs, np.array(dfs @ variances / dfs.sum()))
        difference = self.first - ratio * self.second
        return difference, math.sqrt(float(terms.sum())), min(welch, float(df))

    def p_above(self, ratio: float) -> float:
        """P value of the ratio being at least this: small where it is clearly less."""
        difference, se, df = self.beyond(ratio)
        return float(stdtr(df, difference / se))


@dataclass(frozen=True)
class Ratio(Number):
    """A ratio of mean elasticities; `means` are those it is of."""

    means: _Means

    @property
    def n(self) -> tuple[int, int]:
        return self.means.n


def diminishing(points: Points, confidence: float = 0.95) -> Ratio:
    """Mean elasticity of resolution steps from 320 px on, over that of steps from up to 160 px.

    The interval holds all ratios that a t test does not reject (Fieller 1954). Raises as
    `resolution_steps`, and InputError where the second mean is not clearly different from 0, for
    then no ratio is excluded.
    """
    high, low = resolution_steps(points)
    m = _Means.of(elasticity(points, *high), elasticity(points, *low))
    tail = (1 + confidence) / 2
    # The test of a ratio becomes that of the second mean as the ratio grows.
    _, se, df = m.beyond(1e6)
    least = float(stdtrit(df, tail)) * se / 1e6
    if abs(m.second) <= least:
        raise InputError(
            f"steps from up to {SMALL} px return {m.second:.3f} ± {least:.3f} per ln(cost), which "
            "may be 0, so no ratio to it is known"
        )

    def excess(ratio: float) -> float:
        difference, se, df = m.beyond(ratio)
        return abs(difference) / se - float(stdtrit(df, tail))

    ratio = m.first / m.second
    _, se, df = m.beyond(ratio)
    se /= abs(m.second)
    below, above = (_root(excess, ratio, side * se) for side in (-1, 1))
    return Ratio(ratio, se, df, below, above, means=m)


def _root(excess: Callable[[float], float], start: float, step: float) -> float:
    """Where `excess` first rises to 0, away from `start`."""
    # Only here: it takes long to load, and planning needs none of it.
    from scipy.optimize import brentq

    while excess(start + step) < 0:
        step *= 2
    return float(brentq(excess, start, start + step))


def depth_minus_resolution(points: Points, confidence: float = 0.95) -> Returns:
    """Mean elasticity of depth steps minus that of resolution steps, both from 320 px on.

    Which steps, and errors raised: see `depth_and_resolution_steps`.
    """
    depth, px = (elasticity(points, *pairs) for pairs in depth_and_resolution_steps(points))
    means = _Means.of(depth, px)
    return Returns(**vars(by_t(*means.beyond(1.0), confidence)), n=means.n)


def decide_diminishing(r: Ratio, margin: float) -> Verdict:
    """Claim: from 320 px on resolution buys less than `margin` of what it buys up to 160 px."""
    value, reason = value_of(margin - r.high, margin - r.low, 0.0)
    p_above = r.means.p_above(margin)
    return Verdict(value, reason, p_supported=p_above, p_refuted=1 - p_above)


def decide_depth_first(r: Returns, margin: float) -> Verdict:
    """Claim: from 320 px on depth buys more per e-fold of cost than resolution does."""
    return r.verdict(margin, r.p_above(margin))


@dataclass(frozen=True)
class Harm(Number):
    """Share of `n` single scaling steps whose error rises by more than 2 SE: `harmful` ones.

    The interval is that of Clopper and Pearson.
    """

    harmful: int
    n: int


def error_increases(points: Points, axis: str) -> Mask:
    """For each step from one level of an axis to the next: does it make error worse?

    Raises:
        InputError: no steps, or no standard errors.
    """
    if not np.isfinite(points["se"]).all():
        raise InputError("nothing says how runs scatter, so no step can be called harmful")
    a, b = steps(points, axis)
    if not len(a):
        raise InputError(f"no two configurations one step apart along {axis}")
    se = np.hypot(points["se"][a], points["se"][b])
    worse: Mask = points["error"][b] - points["error"][a] > 2 * se
    return worse


def harm(points: Points, axis: str, confidence: float = 0.95) -> Harm:
    """Share of steps from one level of an axis to the next that make error worse.

    `se` of the points says what seeds explain. Raises as `error_increases`.
    """
    worse = error_increases(points, axis)
    k, n, tail = int(worse.sum()), len(worse), (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    share = k / n
    return Harm(share, math.sqrt(share * (1 - share) / n), n - 1, low, high, k, n)


def decide_harm(h: Harm, margin: float = 0.025) -> Verdict:
    """Claim: more than `margin` of the steps along an axis do harm.

    The default margin is what noise alone does: a rise of more than 2 SE in 2.3 % of steps that
    change nothing.
    """
    return Verdict(*value_of(h.low, h.high, margin))
