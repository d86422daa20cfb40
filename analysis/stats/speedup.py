"""How much faster one family is than another at equal accuracy, from two frontiers.

At quality q = -ln(error) each frontier costs exp(phi(q)), phi piecewise linear between frontier
points and undefined outside them: nothing is extrapolated. A monotone cubic through the same
points is reported beside it.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from analysis.stats.pareto import Floats, on_frontier

DRAWS = 2000
Curve = tuple[Floats, Floats]


@dataclass(frozen=True)
class Family:
    """Models of one kind: cost and error (fraction) with what is known of their inaccuracy.

    Half a unit of the last printed digit (`cost_half`, `error_half`) bounds the rounding;
    `error_sd` is the SD of an error between seeds, known with `error_df` degrees of freedom, and
    `cost_cv` the relative SD of a timing, of all models or of each.
    """

    names: tuple[str, ...]
    cost: Floats
    error: Floats
    cost_half: Floats
    error_half: Floats
    error_sd: Floats
    error_df: float = math.inf
    cost_cv: float | Floats = 0.0


@dataclass(frozen=True)
class Speedup:
    """A against B: cost(B) / cost(A) at the quality of each model of B, and on average.

    `ratio` is NaN for models of B outside the qualities that A's frontier reaches; `mean` is the
    geometric mean over the common qualities with an interval (95 % unless asked otherwise), and
    so are the intervals of `ratio`; `share` is the part of B's range of quality that is common.
    `smooth_ratio` and `smooth_mean` are the same with monotone cubics: a sensitivity, not a second
    answer.
    """

    names: tuple[str, ...]
    ratio: Floats
    ratio_low: Floats
    ratio_high: Floats
    mean: float
    mean_low: float
    mean_high: float
    share: float
    smooth_ratio: Floats
    smooth_mean: float

    @property
    def outside(self) -> tuple[str, ...]:
        """Models of B that no model of A matches."""
        return tuple(n for n, r in zip(self.names, self.ratio, strict=True) if np.isnan(r))


def inverse_frontier(cost: Floats, error: Floats) -> Curve:
    """(q, ln cost) of the frontier's points by rising quality q = -ln(error), no duplicates."""
    member = on_frontier(cost, error)
    quality, first = np.unique(-np.log(error[member]), return_index=True)
    return quality, np.log(cost[member][first])


def common_range(a: Curve, b: Curve) -> tuple[float, float]:
    """Qualities that both frontiers reach; low >= high if there are none."""
    return float(max(a[0][0], b[0][0])), float(min(a[0][-1], b[0][-1]))


def _at(q: Floats, curve: Curve) -> Floats:
    return np.asarray(np.interp(q, *curve, left=np.nan, right=np.nan), dtype=np.float64)


def mean_log_ratio(a: Curve, b: Curve) -> float:
    """Mean over the common qualities of ln cost(B) - ln cost(A); NaN if there are none.

    This is Bjontegaard's delta (VCEG-M33, 2001) with quality in place of PSNR, cost in place of
    bit rate and piecewise-linear curves; the trapezoid rule on all nodes is then exact.
    """
    low, high = common_range(a, b)
    if high <= low:
        return float("nan")
    nodes = np.concatenate([a[0], b[0]])
    q = np.unique(np.concatenate([[low, high], nodes[(nodes > low) & (nodes < high)]]))
    return float(np.trapezoid(_at(q, b) - _at(q, a), q) / (high - low))


def smooth_log_ratio(a: Curve, b: Curve, q: Floats) -> tuple[Floats, float]:
    """Log ratios at q, NaN outside either frontier, and their mean, both by monotone cubics.

    Monotone piecewise cubic interpolation (Fritsch & Butland 1984), as newer implementations of
    Bjontegaard's delta use; needs a common range of qualities.
    """
    low, high = common_range(a, b)
    at_a, at_b = (PchipInterpolator(*curve, extrapolate=False) for curve in (a, b))
    area = at_b.integrate(low, high) - at_a.integrate(low, high)
    return np.asarray(at_b(q) - at_a(q), dtype=np.float64), float(area) / (high - low)


def _ratios(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> Floats:
    """Log ratios at each model of B, then their mean: len(B) + 1 values, from (cost, error)."""
    curve_a, curve_b = inverse_frontier(*a), inverse_frontier(*b)
    quality = -np.log(b[1])
    # A model of B that is not on B's frontier is compared by B's frontier at its quality.
    each = _at(quality, curve_b) - _at(quality, curve_a)
    return np.append(each, mean_log_ratio(curve_a, curve_b))


def _redrawn(family: Family, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """(cost, error) as they might have been; errors stay above a tenth of what they are."""
    size = family.cost.size
    error = family.error + family.error_half * generator.uniform(-1, 1, size)
    cost = family.cost + family.cost_half * generator.uniform(-1, 1, size)
    noise = generator.standard_normal((2, size))
    if math.isfinite(family.error_df):
        noise[0] *= math.sqrt(family.error_df / generator.chisquare(family.error_df))
    error = np.maximum(error + family.error_sd * noise[0], family.error / 10)
    return cost * np.exp(family.cost_cv * noise[1]), error


def _bands(a: Family, b: Family, point: Floats, confidence: float) -> Floats:
    """Percentiles of the log ratios over redrawn tables; NaN where `point` is."""
    generator = np.random.default_rng(20210714)
    draws = np.array(
        [_ratios(_redrawn(a, generator), _redrawn(b, generator)) for _ in range(DRAWS)]
    )
    inside = ~np.isnan(point)
    band = np.full((2, point.size), np.nan)
    ends = (1 - confidence) / 2, (1 + confidence) / 2
    band[:, inside] = np.nanquantile(draws[:, inside], ends, axis=0)
    return band


def speedup_of(a: Family, b: Family, confidence: float = 0.95) -> Speedup:
    """Cost of B over cost of A at equal accuracy; intervals are percentiles of redrawn tables.

    Raises:
        ValueError: the families share no accuracy, or a cost or an error is not positive.
    """
    for values in (a.cost, a.error, b.cost, b.error):
        if not (values > 0).all():
            raise ValueError("costs and errors must be positive")
    point = _ratios((a.cost, a.error), (b.cost, b.error))
    if np.isnan(point[-1]):
        raise ValueError("the two families share no range of accuracy")
    curve_a, curve_b = (inverse_frontier(f.cost, f.error) for f in (a, b))
    low, high = common_range(curve_a, curve_b)
    smooth, smooth_mean = smooth_log_ratio(curve_a, curve_b, -np.log(b.error))
    ratio, (lower, upper) = np.exp(point), np.exp(_bands(a, b, point, confidence))
    return Speedup(
        names=b.names,
        ratio=ratio[:-1],
        ratio_low=lower[:-1],
        ratio_high=upper[:-1],
        mean=float(ratio[-1]),
        mean_low=float(lower[-1]),
        mean_high=float(upper[-1]),
        share=(high - low) / float(np.ptp(curve_b[0])),
        smooth_ratio=np.exp(smooth),
        smooth_mean=float(np.exp(smooth_mean)),
    )
