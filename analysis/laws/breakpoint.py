"""Is error a power law of cost, and where does it stop being one?

Everything is on cell means, one point per configuration: configurations scatter about any smooth
law by more than seeds explain, so seeds' variance would call every law broken.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.fits.fit import fit
from analysis.fits.forms import Floats
from analysis.fits.intervals import covariance, profile_interval
from analysis.laws.number import Number, by_t
from analysis.laws.points import Points, different_costs
from analysis.stats.contrast import ROUNDING
from analysis.stats.decision import Verdict
from scaling_study.common.errors import InputError

QUANTILES = (0.15, 0.85)
CANDIDATES = 200
UNEQUAL_P = 0.05


def sup_f(x: Floats, y: Floats) -> Floats:
    """Largest F for one break, for each row of y; 200 breaks between the 15 % and 85 % quantiles.

    F = (RSS_line - RSS_broken) / (RSS_broken / (n - 4)) (Andrews 1993).
    """
    line = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))[0]
    residual_maker = np.eye(len(x)) - line @ line.T
    low, high = np.quantile(x, QUANTILES).tolist()
    breaks = np.linspace(low, high, CANDIDATES)
    kinks = residual_maker @ np.maximum(x[:, None] - breaks, 0.0)
    size = np.linalg.norm(kinks, axis=0)
    r = np.atleast_2d(y) @ residual_maker
    gain = np.max((r @ (kinks[:, size > 1e-9] / size[size > 1e-9])) ** 2, axis=1)
    return np.asarray(gain / ((np.sum(r**2, axis=1) - gain) / (len(x) - 4)), dtype=np.float64)


def bootstrap_p(x: Floats, y: Floats, draws: int = 999, seed: int = 1993) -> tuple[float, float]:
    """P values of sup-F under a straight line: normal residuals, and residuals with random signs.

    The signs (wild bootstrap, Rademacher) keep a variance that changes with cost. A table of F
    would reject a true line about three times too often, because the break is searched for. Both
    are 1 where all points are on a line, but for rounding.
    """
    observed = float(sup_f(x, y)[0])
    line = np.polynomial.Polynomial.fit(x, y, 1)(x)
    r = y - line
    if np.abs(r).max() < ROUNDING * (1 + np.abs(y).max()):
        return 1.0, 1.0
    sd = math.sqrt(float(np.sum(r**2)) / (len(x) - 2))
    generator = np.random.default_rng(seed)
    normal = line + sd * generator.standard_normal((draws, len(x)))
    scale = math.sqrt(len(x) / (len(x) - 2))
    wild = line + scale * r * generator.choice([-1.0, 1.0], (draws, len(x)))
    p_normal, p_wild = (
        float((1 + np.sum(sup_f(x, sample) >= observed)) / (draws + 1)) for sample in (normal, wild)
    )
    return p_normal, p_wild


@dataclass(frozen=True)
class Deviation(Number):
    """A broken line against a straight one in ln(cost) and ln(error).

    `estimate` is the change of slope at `break_cost` (positive: flatter beyond it) with its 95 %
    interval given the break; `break_low` and `break_high` are a profile interval. `p_parametric`
    and `p_wild` are bootstrap p values of `sup_f` under a straight line; `p` is the larger one
    where residuals are heteroscedastic, else the parametric one.
    """

    sup_f: float
    break_cost: float
    break_low: float
    break_high: float
    slope_below: float
    slope_above: float
    p_parametric: float
    p_wild: float
    heteroscedastic: bool
    n: int

    @property
    def p(self) -> float:
        return max(self.p_parametric, self.p_wild) if self.heteroscedastic else self.p_parametric


def deviation(points: Points, draws: int = 999) -> Deviation:
    """Test whether error departs from a power law of cost; raises as `different_costs`."""
    from scipy.stats import spearmanr  # slow to load

    different_costs(points)
    x, y = np.log(points["cost"]), np.log(points["error"])
    kinked = fit(points, "seg", y="error", x="cost")
    broken = kinked.parameters
    low, high = profile_interval(kinked, "t")
    p_normal, p_wild = bootstrap_p(x - x.mean(), y, draws)
    off = np.abs(kinked.residuals)
    change = by_t(broken["b2"], math.sqrt(float(covariance(kinked)[3, 3])), kinked.df)
    return Deviation(
        **vars(change),
        sup_f=float(sup_f(x - x.mean(), y)[0]),
        break_cost=math.exp(broken["t"]),
        break_low=math.exp(low),
        break_high=math.exp(high),
        slope_below=broken["b1"],
        slope_above=broken["b1"] + broken["b2"],
        p_parametric=p_normal,
        p_wild=p_wild,
        heteroscedastic=bool(np.ptp(off) > 0 and spearmanr(off, x).pvalue < UNEQUAL_P),
        n=kinked.n,
    )


def decide_deviation(d: Deviation, margin: float, alpha: float) -> Verdict:
    """Claim: beyond some cost, error falls more slowly than the power law below it.

    Judged by the interval of the change of slope, but no change is called real unless sup-F
    rejects a straight line at alpha: the interval does not know that the break was searched for.
    """
    against = d.p_above(margin)
    v = d.verdict(margin, against)
    if d.p >= alpha and v.value in ("supported", "refuted") and abs(d.estimate) > margin:
        v = replace(v, value="inconclusive", reason="no departure from a power law is shown")
    reason = f"{v.reason} (sup-F p {d.p:.2g})"
    return replace(v, reason=reason, p_supported=max(d.p, 1 - against))


def low_cost_exponent(points: Points, broken: Deviation) -> Number:
    """Slope of ln(error) on ln(cost) among configurations cheaper than `broken.break_low`.

    Raises:
        InputError: fewer than four configurations are.
    """
    cheap = points["cost"] < broken.break_low
    if cheap.sum() < 4:
        raise InputError(f"{int(cheap.sum())} configurations below {broken.break_low:.3g}; need 4")
    below = {name: points[name][cheap] for name in ("cost", "error")}
    law = fit(below, "line", y="error", x="cost")
    return by_t(float(law.vector[1]), math.sqrt(float(covariance(law)[1, 1])), law.df)
