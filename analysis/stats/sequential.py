"""Looking at a study more than once: intervals widened so that all looks together keep alpha.

Error is spent by Lan & DeMets' (1983) function of Pocock's kind, alpha ln(1 + (e - 1) t) at a
share t of the final seeds. Critical values follow from the joint normal distribution of the
looks by recursive integration (Armitage, McPherson & Rowe 1969).
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.stats.interpolation import Floats

NODES = 200


def spent(share: float, alpha: float) -> float:
    """Part of alpha that is spent when `share` of the seeds have been looked at."""
    return alpha * math.log(1 + (math.e - 1) * share)


@cache
def critical_values(looks: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Two-sided critical z of each look at `looks` seeds per cell, the last one being final.

    Raises:
        ValueError: looks that do not rise.
    """
    if not looks or any(b <= a for a, b in zip((0, *looks), looks, strict=False)):
        raise ValueError(f"looks {list(looks)} must rise")
    shares = [n / looks[-1] for n in looks]
    increments = np.diff([0.0, *(spent(share, alpha) for share in shares)])
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    values = [-float(ndtri(increments[0] / 2))]
    # On the score scale the sum after a share t is N(0, t); undecided studies lie within +- bound.
    bound = values[0] * math.sqrt(shares[0])
    points, mass = nodes * bound, weights * bound * _normal(nodes * bound, math.sqrt(shares[0]))
    for before, share, probability in zip(shares, shares[1:], increments[1:], strict=False):
        step = math.sqrt(share - before)
        bound = _bound(points, mass, step, probability)
        values.append(bound / math.sqrt(share))
        moved = nodes * bound
        mass = weights * bound * (_normal(moved[:, None] - points, step) @ mass)
        points = moved
    return tuple(values)


def _normal(x: Floats, sd: float) -> Floats:
    return np.asarray(np.exp(-(x**2) / (2 * sd**2)) / (sd * math.sqrt(2 * math.pi)))


def _bound(points: Floats, mass: Floats, step: float, probability: float) -> float:
    """The bound on the score that is crossed with this probability at this look."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        crossed = mass @ (ndtr((points - middle) / step) + ndtr((-points - middle) / step))
        low, high = (middle, high) if crossed > probability else (low, middle)
    return low


def inflation(looks: Sequence[int], seeds: float, alpha: float) -> float:
    """Factor on the half-width of an interval made at `seeds` seeds, one of the planned looks.

    At another number of seeds than planned the next look's is taken, after the last the last's.
    """
    critical = critical_values(tuple(looks), alpha)
    index = next((i for i, n in enumerate(looks) if n >= seeds), len(looks) - 1)
    return critical[index] / -float(ndtri(alpha / 2))
