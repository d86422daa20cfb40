"""What single scaling steps buy: error by cost, whether returns diminish, and where steps harm."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import betaincinv

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats
from analysis.laws.number import Number, by_t
from analysis.laws.points import Points, Rows, steps
from analysis.stats.decision import Verdict, value_of
from scaling_study.common.errors import InputError

LARGE = 320
SMALL = 160
DRAWS = 4000
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
    """A ratio or difference of mean elasticities; its SE is between configurations."""

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


def _two_of_each(first: Steps, second: Steps, kinds: str) -> tuple[Steps, Steps]:
    counts = len(first[0]), len(second[0])
    if min(counts) < 2:
        raise InputError(f"{counts[0]} and {counts[1]} {kinds}; two of each are needed")
    return first, second


def resolution_steps(points: Points) -> tuple[Steps, Steps]:
    """Resolution steps (before, after) from 320 px on, and those from up to 160 px.

    Raises:
        InputError: fewer than two steps on either side.
    """
    a, b = steps(points, "resolution")
    start = points["resolution"][a]
    high, low = ((a[side], b[side]) for side in (start >= LARGE, start <= SMALL))
    kinds = f"resolution steps from {LARGE} px on and from up to {SMALL} px"
    return _two_of_each(high, low, kinds)


def depth_and_resolution_steps(points: Points) -> tuple[Steps, Steps]:
    """Depth steps and resolution steps (before, after), both from 320 px on.

    Depth steps count at the resolutions that resolution steps start from. Raises InputError if
    there are fewer than two steps of either kind.
    """
    (a, b), (c, d) = steps(points, "depth"), steps(points, "resolution")
    px = points["resolution"]
    large = px[c] >= LARGE
    deep = np.isin(px[a], px[c][large])
    kinds = f"depth and resolution steps from {LARGE} px on"
    return _two_of_each((a[deep], b[deep]), (c[large], d[large]), kinds)


def _two(first: Floats, second: Floats) -> tuple[Floats, Floats, float]:
    """Means, squared SEs and Welch's degrees of freedom of their difference."""
    mean = np.array([first.mean(), second.mean()])
    v = np.array([np.var(s, ddof=1) / len(s) for s in (first, second)])
    df = float(v.sum() ** 2 / np.sum(v**2 / (np.array([len(first), len(second)]) - 1)))
    return mean, v, df


def diminishing(points: Points, confidence: float = 0.95) -> Returns:
    """Mean elasticity of resolution steps from 320 px on, over that of steps from up to 160 px.

    The interval is of draws of both means from normal distributions with their SEs. Raises as
    `resolution_steps`.
    """
    high, low = resolution_steps(points)
    mean, v, df = _two(elasticity(points, *high), elasticity(points, *low))
    drawn = mean + np.sqrt(v) * np.random.default_rng(320).standard_normal((DRAWS, 2))
    ratios, tail = drawn[:, 0] / drawn[:, 1], (1 - confidence) / 2
    ends = np.quantile(ratios, [tail, 1 - tail])
    ratio, se = float(mean[0] / mean[1]), float(np.std(ratios))
    return Returns(ratio, se, df, float(ends[0]), float(ends[1]), (len(high[0]), len(low[0])))


def depth_minus_resolution(points: Points, confidence: float = 0.95) -> Returns:
    """Mean elasticity of depth steps minus that of resolution steps, both from 320 px on.

    Which steps, and errors raised: see `depth_and_resolution_steps`.
    """
    depth, px = (elasticity(points, *pairs) for pairs in depth_and_resolution_steps(points))
    mean, v, df = _two(depth, px)
    difference = by_t(float(mean[0] - mean[1]), math.sqrt(float(v.sum())), df, confidence)
    return Returns(**vars(difference), n=(len(depth), len(px)))


def decide_diminishing(r: Returns, margin: float) -> Verdict:
    """Claim: from 320 px on resolution buys less than `margin` of what it buys up to 160 px."""
    mirrored = Number(margin - r.estimate, r.se, r.df, margin - r.high, margin - r.low)
    return mirrored.verdict(0.0, mirrored.p_above(0.0))


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
