"""How much faster one family is than another at equal accuracy, from two frontiers.

At quality q = -ln(error) each frontier costs exp(phi(q)), phi piecewise linear between frontier
points and undefined outside them: nothing is extrapolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.pareto import Floats, on_frontier

DRAWS = 2000


@dataclass(frozen=True)
class Family:
    """Published models: cost and error (fraction) with what is known of their inaccuracy.

    Half a unit of the last printed digit (`cost_half`, `error_half`) bounds the rounding;
    `error_sd` is the SD between seeds and `cost_cv` the relative SD of a timing.
    """

    names: tuple[str, ...]
    cost: Floats
    error: Floats
    cost_half: Floats
    error_half: Floats
    error_sd: Floats
    cost_cv: float = 0.0


@dataclass(frozen=True)
class Speedup:
    """A against B: cost(B) / cost(A) at the quality of each model of B, and on average.

    `ratio` is NaN for models of B outside the qualities that A's frontier reaches; `mean` is the
    geometric mean over the common qualities with a 95 % interval, and so are the intervals of
    `ratio`; `share` is the part of B's range of quality that is common.
    """

    names: tuple[str, ...]
    ratio: Floats
    ratio_low: Floats
    ratio_high: Floats
    mean: float
    mean_low: float
    mean_high: float
    share: float

    @property
    def outside(self) -> tuple[str, ...]:
        """Models of B that no model of A matches."""
        return tuple(n for n, r in zip(self.names, self.ratio, strict=True) if np.isnan(r))


def inverse_frontier(cost: Floats, error: Floats) -> tuple[Floats, Floats]:
    """(q, ln cost) of the frontier's points by rising quality q = -ln(error), no duplicates."""
    member = on_frontier(cost, error)
    quality, first = np.unique(-np.log(error[member]), return_index=True)
    return quality, np.log(cost[member][first])


def _at(q: Floats, curve: tuple[Floats, Floats]) -> Floats:
    return np.asarray(np.interp(q, *curve, left=np.nan, right=np.nan), dtype=np.float64)


def mean_log_ratio(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> float:
    """Mean over the common qualities of ln cost(B) - ln cost(A); NaN if there are none.

    This is Bjontegaard's delta (VCEG-M33, 2001) with quality in place of PSNR, cost in place of
    bit rate and piecewise-linear curves; the trapezoid rule on all nodes is then exact.
    """
    low, high = max(a[0][0], b[0][0]), min(a[0][-1], b[0][-1])
    if high <= low:
        return float("nan")
    nodes = np.concatenate([a[0], b[0]])
    q = np.unique(np.concatenate([[low, high], nodes[(nodes > low) & (nodes < high)]]))
    return float(np.trapezoid(_at(q, b) - _at(q, a), q) / (high - low))


def _ratios(a: Family, b: Family, errors: Sequence[Floats], costs: Sequence[Floats]) -> Floats:
    """Log ratios at each model of B, then their mean: len(B) + 1 values."""
    curve_a = inverse_frontier(costs[0], errors[0])
    curve_b = inverse_frontier(costs[1], errors[1])
    quality = -np.log(errors[1])
    # A model of B that is not on B's frontier is compared by B's frontier at its quality.
    each = _at(quality, curve_b) - _at(quality, curve_a)
    return np.append(each, mean_log_ratio(curve_a, curve_b))


def _redrawn(family: Family, generator: np.random.Generator) -> tuple[Floats, Floats]:
    size = family.cost.size
    error = family.error + family.error_half * generator.uniform(-1, 1, size)
    cost = family.cost + family.cost_half * generator.uniform(-1, 1, size)
    noise = generator.standard_normal((2, size))
    return error + family.error_sd * noise[0], cost * np.exp(family.cost_cv * noise[1])


def speedup_of(a: Family, b: Family) -> Speedup:
    """Cost of B over cost of A at equal accuracy; intervals are percentiles of redrawn tables.

    Raises:
        ValueError: the families share no accuracy.
    """
    point = _ratios(a, b, (a.error, b.error), (a.cost, b.cost))
    if np.isnan(point[-1]):
        raise ValueError("the two families share no range of accuracy")
    generator = np.random.default_rng(20210714)
    draws = []
    for _ in range(DRAWS):
        (error_a, cost_a), (error_b, cost_b) = _redrawn(a, generator), _redrawn(b, generator)
        draws.append(_ratios(a, b, (error_a, error_b), (cost_a, cost_b)))
    inside = ~np.isnan(point)
    band = np.full((2, point.size), np.nan)
    band[:, inside] = np.nanquantile(np.array(draws)[:, inside], [0.025, 0.975], axis=0)
    q_a, q_b = (inverse_frontier(f.cost, f.error)[0] for f in (a, b))
    common = min(q_a[-1], q_b[-1]) - max(q_a[0], q_b[0])
    ratio, low, high = np.exp(point), np.exp(band[0]), np.exp(band[1])
    return Speedup(
        b.names,
        ratio[:-1],
        low[:-1],
        high[:-1],
        float(ratio[-1]),
        float(low[-1]),
        float(high[-1]),
        float(common / (q_b[-1] - q_b[0])),
    )
