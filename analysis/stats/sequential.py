"""Looking at a study more than once: the level of one look, so that all looks together keep alpha.

Planned looks spend the error by Lan & DeMets' (1983) function of Pocock's kind, alpha
ln(1 + (e - 1) t) at a share t of the final information. Critical values follow from the joint
normal distribution of the looks by recursive integration (Armitage, McPherson & Rowe 1969). A look
that was not planned takes the boundary of a normal mixture (Robbins 1970; Lindon, Ham, Tingley &
Bojinov 2022 for regression), which holds at any number of looks. Student's t takes the place of the
normal distribution at the same nominal level (Jennison & Turnbull 2000, section 4.4).
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import lambertw, ndtr, ndtri

from analysis.stats.interpolation import Floats

NODES = 200


def spent(share: float, alpha: float) -> float:
    """Part of alpha that is spent when `share` of the seeds have been looked at."""
    return alpha * math.log(1 + (math.e - 1) * share)


def critical_values(looks: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Two-sided critical z of each look at `looks` seeds per cell, the last one being final.

    Raises:
        ValueError: looks that do not rise.
    """
    if not looks or any(b <= a for a, b in zip((0, *looks), looks, strict=False)):
        raise ValueError(f"looks {list(looks)} must rise")
    return _critical_values(tuple(n / looks[-1] for n in looks), alpha)


@cache
def _critical_values(shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """The same for looks at these rising shares of the final information."""
    increments = np.diff([0.0, *(spent(share, alpha) for share in shares)])
    nodes, weights = _gauss()
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


@cache
def _gauss() -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss-Legendre integration over -1 to 1."""
    return np.polynomial.legendre.leggauss(NODES)


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


# Levels between which that of a look is interpolated.
LEVELS = np.geomspace(1e-7, 0.999, 60)


@dataclass(frozen=True)
class Look:
    """A look at a study that has `share` of the information that was planned for its last look.

    `earlier` are the shares at the planned looks before; `planned` says whether this one was.
    """

    share: float = 1.0
    earlier: tuple[float, ...] = ()
    planned: bool = True

    @property
    def only(self) -> bool:
        """Whether there is one look, and it is the planned one."""
        return self.planned and not self.earlier and self.share == 1

    def nominal(self, alpha: float) -> float:
        """The two-sided level of tests and intervals at this look that keeps `alpha` over all."""
        if self.only:
            return alpha
        if self.planned:
            z = _critical_values((*self.earlier, self.share), alpha)[-1]
        else:
            rho = _mixing(alpha)
            z = math.sqrt(self._spread(rho) * math.log((self.share + rho) / (rho * alpha**2)))
        return 2 * float(ndtr(-z))

    def overall(self, nominal: float, alpha: float) -> float:
        """The least level over all looks at which a two-sided p value of this look decides.

        `alpha` is the level that the mixture of an unplanned look is made for.
        """
        if self.only:
            return nominal
        if self.planned:
            levels = _nominal_levels((*self.earlier, self.share))
            return float(np.exp(np.interp(math.log(max(nominal, 1e-300)), levels, np.log(LEVELS))))
        rho, z = _mixing(alpha), -float(ndtri(nominal / 2))
        least = math.sqrt((self.share + rho) / rho) * math.exp(-(z**2) / (2 * self._spread(rho)))
        return min(1.0, least)

    def _spread(self, rho: float) -> float:
        return 1 + rho / self.share


@cache
def _nominal_levels(shares: tuple[float, ...]) -> Floats:
    """ln of the last look's nominal level at each of `LEVELS`."""
    z = np.array([_critical_values(shares, float(level))[-1] for level in LEVELS])
    return np.asarray(np.log(2 * ndtr(-z)))


def _mixing(alpha: float) -> float:
    """The mixture's parameter that makes its boundary least at the planned end (Robbins 1970)."""
    return 1 / (-float(lambertw(-(alpha**2) / math.e, -1).real) - 1)
