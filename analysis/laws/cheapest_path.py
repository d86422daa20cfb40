"""How resolution grows with cost along the cheapest path, and against another family's.

The exponent of the path, the ratio of the resolutions that two families use at equal accuracy, and
what one step returns (`analysis.laws.returns`) are three claims that must be kept apart.
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.fit import Fit, fit
from analysis.fits.forms import Floats
from analysis.fits.intervals import draws
from analysis.fits.laws import SIZE
from analysis.laws.number import Number
from analysis.laws.points import Points
from analysis.stats.decision import Verdict, value_of
from scaling_study.common.errors import InputError

MOST_INDEFINITE = 0.05
COMPOUND = {"depth": 1.2, "width": 1.1, "resolution": 1.15}
# Ideal cost elasticities of a convolutional network's FLOPs.
FLOPS = {"depth": 1.0, "width": 2.0, "resolution": 2.0}


def compound_exponents() -> dict[str, float]:
    """How each axis grows with FLOPs when all grow by EfficientNet's factors together.

    gamma_x = ln k_x / sum(c ln k) (Tan & Le 2019, arXiv 1905.11946), FLOPs as depth x width^2 x
    resolution^2.
    """
    total = sum(FLOPS[axis] * math.log(k) for axis, k in COMPOUND.items())
    return {axis: math.log(k) / total for axis, k in COMPOUND.items()}


def elasticities(points: Points) -> Floats:
    """Of cost by depth, width and resolution: slopes of ln(cost) on their logs."""
    x = np.stack([np.ones(len(points["cost"])), *(np.log(points[a]) for a in SIZE)], axis=1)
    return np.asarray(np.linalg.lstsq(x, np.log(points["cost"]))[0][1:], dtype=np.float64)


def hessians(coefficients: Floats) -> Floats:
    """Matrices of second derivatives (n, 3, 3) from rows of quad3 coefficients (n, 10)."""
    h = np.zeros((len(coefficients), 3, 3))
    upper = np.triu_indices(3)
    h[:, upper[0], upper[1]] = coefficients[:, 4:]
    h[:, upper[1], upper[0]] = coefficients[:, 4:]
    return h


def path_exponents(h: Floats, c: Floats) -> tuple[Floats, Mask]:
    """gamma = H^-1 c / (c' H^-1 c) for each H, and whether H is positive definite where c'v = 0.

    On a quadratic in logs the least error at each cost lies on a straight line in logs, along
    gamma; it is a minimum only where H is positive definite.
    """
    flat = np.linalg.svd(c[None])[2][1:].T
    definite = np.linalg.eigvalsh(flat.T @ h @ flat)[:, 0] > 0
    solved = np.linalg.solve(h, np.broadcast_to(c, (len(h), 3))[..., None])[..., 0]
    return solved / (solved @ c)[:, None], definite


@dataclass(frozen=True)
class PathExponent(Number):
    """How resolution grows with cost on the cheapest path of a log-quadratic surface.

    The interval is of posterior draws for which the path is one of minima; `p_definite` is the
    share of draws for which it is. `se` is half of the 68 % interval.
    """

    p_definite: float
    elasticities: Floats
    samples: Floats


def path_exponent(points: Points, confidence: float = 0.95, count: int = 4000) -> PathExponent:
    """The exponent of resolution from quad3 fitted to the points (one regime).

    Raises:
        InputError: too few configurations or levels for a quadratic in three axes.
    """
    surface = fit(points, "quad3", y="error")
    c, i = elasticities(points), SIZE.index("resolution")
    best, _ = path_exponents(hessians(surface.vector[None]), c)
    gammas, definite = path_exponents(hessians(draws(surface, count)), c)
    samples = gammas[definite, i] if definite.any() else np.array([math.nan])
    tail = (1 - confidence) / 2
    low, high, below, above = np.quantile(samples, [tail, 1 - tail, 0.16, 0.84]).tolist()
    return PathExponent(
        estimate=float(best[0, i]),
        low=low,
        high=high,
        se=(above - below) / 2,
        p_definite=float(definite.mean()),
        elasticities=c,
        samples=samples,
        df=surface.df,
    )


def decide_slower(g: PathExponent, margin: float) -> Verdict:
    """Claim: resolution grows more slowly with cost than in compound scaling, by the exponent.

    compound - gamma > margin; not testable if the surface has no path of minima in more than 5 %
    of draws.
    """
    if g.p_definite < 1 - MOST_INDEFINITE:
        return Verdict(
            "not_testable",
            f"the surface has a cheapest path in {g.p_definite:.1%} of draws; "
            f"{1 - MOST_INDEFINITE:.0%} are needed",
        )
    compound = compound_exponents()["resolution"]
    wrong = float(np.mean(compound - g.samples <= margin))
    value, reason = value_of(compound - g.high, compound - g.low, margin)
    return Verdict(value, reason, p_supported=wrong, p_refuted=1 - wrong)


@dataclass(frozen=True)
class ResolutionRatio:
    """Resolution of one family over that of another at equal accuracy: geometric mean, range."""

    ratio: float
    low: float
    high: float
    n: int


def resolution_ratio(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> ResolutionRatio:
    """(resolution, error) of two families: mean of ln r_second - ln r_first at equal -ln(error).

    Interpolated linearly in logs; models outside the first family's accuracies are left out.
    Raises InputError where the families share no accuracy.
    """
    (r1, e1), (r2, e2) = first, second
    order = np.argsort(-np.log(e1))
    q1, log_r1 = -np.log(e1)[order], np.log(r1)[order]
    q2 = -np.log(e2)
    common = (q2 >= q1[0]) & (q2 <= q1[-1])
    if not common.any():
        raise InputError("the two families share no range of accuracy")
    gaps = np.log(r2[common]) - np.interp(q2[common], q1, log_r1)
    mean, low, high = float(gaps.mean()), float(gaps.min()), float(gaps.max())
    return ResolutionRatio(math.exp(mean), math.exp(low), math.exp(high), int(common.sum()))


def surface_gradient(surface: Fit, table: Points) -> Floats:
    """d ln(error) / d ln(depth, width, resolution) of a fitted quad3 at the rows of a table."""
    h = hessians(surface.vector[None])[0]
    return np.asarray(surface.vector[1:4] + surface.centred(table) @ h)
