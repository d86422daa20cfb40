"""What one scaling step buys: elasticities of error by cost, and whether returns diminish."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats
from analysis.laws.number import Number, by_t
from analysis.laws.points import Points, Rows, steps
from analysis.stats.decision import Verdict
from scaling_study.common.errors import InputError

LARGE = 320
SMALL = 160
DRAWS = 4000


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


def _enough(first: Rows, second: Rows, kinds: str) -> None:
    if min(len(first), len(second)) < 2:
        raise InputError(f"{len(first)} and {len(second)} {kinds}; two of each are needed")


def resolution_steps(points: Points) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
    """Resolution steps (before, after) from 320 px on, and those from up to 160 px.

    Raises:
        InputError: fewer than two steps on either side.
    """
    a, b = steps(points, "resolution")
    start = points["resolution"][a]
    high, low = ((a[side], b[side]) for side in (start >= LARGE, start <= SMALL))
    _enough(high[0], low[0], f"resolution steps from {LARGE} px on and from up to {SMALL} px")
    return high, low


def depth_and_resolution_steps(points: Points) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
    """Depth steps and resolution steps (before, after), both from 320 px on.

    Depth steps count at the resolutions that resolution steps start from.

    Raises:
        InputError: fewer than two steps of either kind.
    """
    chosen = []
    starts = points["resolution"][steps(points, "resolution")[0]]
    for axis in ("depth", "resolution"):
        a, b = steps(points, axis)
        keep: Mask = np.isin(points["resolution"][a], starts[starts >= LARGE])
        chosen.append((a[keep], b[keep]))
    _enough(chosen[0][0], chosen[1][0], f"depth and resolution steps from {LARGE} px on")
    return chosen[0], chosen[1]


def _two(first: Floats, second: Floats) -> tuple[Floats, Floats, float]:
    """Means, squared SEs and Welch's degrees of freedom of their difference."""
    mean = np.array([first.mean(), second.mean()])
    v = np.array([np.var(s, ddof=1) / len(s) for s in (first, second)])
    df = float(v.sum() ** 2 / np.sum(v**2 / (np.array([len(first), len(second)]) - 1)))
    return mean, v, df


def diminishing(points: Points, confidence: float = 0.95) -> Returns:
    """Mean elasticity of resolution steps from 320 px on, over that of steps from up to 160 px.

    The interval is of draws of both means from normal distributions with their SEs.

    Raises:
        InputError: fewer than two steps on either side.
    """
    high, low = resolution_steps(points)
    mean, v, df = _two(elasticity(points, *high), elasticity(points, *low))
    drawn = mean + np.sqrt(v) * np.random.default_rng(320).standard_normal((DRAWS, 2))
    ratios, tail = drawn[:, 0] / drawn[:, 1], (1 - confidence) / 2
    ends = np.quantile(ratios, [tail, 1 - tail])
    sizes = len(high[0]), len(low[0])
    ratio, se = float(mean[0] / mean[1]), float(np.std(ratios))
    return Returns(ratio, se, df, float(ends[0]), float(ends[1]), sizes)


def depth_minus_resolution(points: Points, confidence: float = 0.95) -> Returns:
    """Mean elasticity of depth steps minus that of resolution steps, both from 320 px on.

    Which steps: see `depth_and_resolution_steps`.

    Raises:
        InputError: fewer than two steps of either kind.
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
