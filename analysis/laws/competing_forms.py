"""Which law of cost fits best, and whether configurations scatter more where cost is high."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, ndtr, ndtri, polygamma

from analysis.fits.fit import Fit, fit
from analysis.fits.forms import Floats
from analysis.fits.weights import weighted_fit
from analysis.laws.number import Number
from analysis.laws.points import LEAST, Points, different_costs
from analysis.stats.decision import Verdict

LAWS = ("pl", "spl", "seg", "u")
ENOUGH_FOR_SMOOTH_BREAK = 40
DISTINCT_BIC = 6.0
TINY = 1e-30


@dataclass(frozen=True)
class Alternative:
    """A law with its information criteria (of ln(error), normal residuals) and Akaike weight."""

    form: str
    aicc: float
    bic: float
    weight: float


def alternatives(points: Points) -> tuple[Alternative, ...]:
    """Power law, floor, kink and over-fitting law; a smooth break too from 40 configurations.

    BIC = n ln(RSS / n) + k ln n; AICc counts the variance as a parameter too (Burnham & Anderson
    2002). Weights are exp(-AICc / 2), normalised. Raises as `different_costs`.
    """
    different_costs(points)
    n = len(points["error"])
    laws = (*LAWS, "bnsl1") if n >= ENOUGH_FOR_SMOOTH_BREAK else LAWS
    fits = [fit(points, law, y="error", x="cost") for law in laws]
    log = np.array([n * math.log(f.loss / n) for f in fits])
    k = np.array([f.form.k for f in fits])
    aicc, bic = log + 2 * (k + 1) * n / (n - k - 2), log + k * math.log(n)
    weight = np.exp(-(aicc - aicc.min()) / 2)
    weight /= weight.sum()
    columns = (aicc.tolist(), bic.tolist(), weight.tolist())
    return tuple(Alternative(*row) for row in zip(laws, *columns, strict=True))


def decide_kink(laws: Iterable[Alternative]) -> Verdict:
    """Claim: the law of cost has a kink rather than a floor, by BIC apart by more than 6.

    That is strong evidence (Kass & Raftery 1995); less is "not distinguishable".
    """
    bic = {law.form: law.bic for law in laws}
    gain = bic["spl"] - bic["seg"]
    text = f"BIC {bic['seg']:.1f} with a kink, {bic['spl']:.1f} with a floor"
    if gain > DISTINCT_BIC:
        return Verdict("supported", text)
    if gain < -DISTINCT_BIC:
        return Verdict("refuted", f"reversed: {text}")
    return Verdict("inconclusive", f"not distinguishable: {text}")


@dataclass(frozen=True)
class Dispersion(Number):
    """Scatter of ln(error) about E + A C^-a against cost, in units of what is expected.

    `estimate` is Spearman's rank correlation of |standardised residual| and cost with its 95 %
    interval and p; `sd_below` and `sd_above` are the relative errors of residuals on either side
    of the median cost, `seeds_below` and `seeds_above` what seeds alone explain of them.
    """

    p: float
    sd_below: float
    sd_above: float
    seeds_below: float
    seeds_above: float


def dispersion(points: Points, confidence: float = 0.95) -> Dispersion:
    """Whether configurations of equal cost differ more where cost is high, beyond seed noise.

    Residuals are divided by the root of tau^2 plus the squared SE that seeds give the mean, less
    their leverage, so that noise between seeds that changes with cost is not taken for scatter;
    tau^2 is the scatter of configurations if it is the same at all costs (`weighted_fit`). The
    interval of rho is by Fisher's z with variance (1 + rho^2 / 2) / (n - 3) (Bonett & Wright 2000),
    plus what one SE of the noise's own slope and of tau^2 changes (delta method). Raises as
    `different_costs`.
    """
    from scipy.stats import spearmanr  # slow to load

    different_costs(points)
    seeds, doubt = _seed_variance(points)
    table = {**points, "se": np.sqrt(seeds) * points["error"]}
    law, tau2 = (w := weighted_fit(table, "spl", y="error", se="se", x="cost")).fit, w.tau2
    above = points["cost"] > np.median(points["cost"])
    free = 1 - _leverage(law)

    def rank_correlation(variance: Floats) -> Any:
        # Without any scatter there is nothing to divide by.
        standard = law.residuals / np.sqrt(np.maximum(variance * free, TINY))
        return spearmanr(np.abs(standard), points["cost"])

    def z_of(variance: Floats) -> float:
        return math.atanh(rank_correlation(variance).statistic)

    found = rank_correlation(tau2 + seeds)
    rho = float(found.statistic)
    # The variance of the estimate of Mandel and Paule, to first order.
    tau2_se = math.sqrt(2 / max(float(np.sum((tau2 + seeds) ** -2.0)), TINY)) if any(seeds) else 0.0
    slope = (z_of(tau2 + seeds * doubt) - z_of(tau2 + seeds / doubt)) / 2
    scatter = (z_of(tau2 + tau2_se + seeds) - z_of(max(tau2 - tau2_se, 0.0) + seeds)) / 2
    z_se = math.hypot(math.sqrt((1 + rho**2 / 2) / (law.n - 3)), slope, scatter)
    z, half = math.atanh(rho), float(ndtri(0.5 + confidence / 2)) * z_se
    below, beyond = (
        (float(np.std(law.residuals[side], ddof=1)), math.sqrt(float(seeds[side].mean())))
        for side in (~above, above)
    )
    return Dispersion(
        estimate=rho,
        se=z_se * (1 - rho**2),
        df=law.n - 2,
        low=math.tanh(z - half),
        high=math.tanh(z + half),
        p=float(found.pvalue),
        sd_below=below[0],
        sd_above=beyond[0],
        seeds_below=below[1],
        seeds_above=beyond[1],
    )


def _leverage(law: Fit) -> Floats:
    """How far each point draws the fit to itself, which makes its residual smaller: 0 to 1."""
    _, slopes = law.problem.residuals(law.vector)
    moving = slopes[:, ~law.problem.at_bound(law.vector)]
    q, _ = np.linalg.qr(moving * np.sqrt(law.problem.weights)[:, None])
    return np.asarray((q**2).sum(axis=1))


def _seed_variance(points: Points) -> tuple[Floats, Floats]:
    """Squared relative SE that seeds give each mean error, and the factor that one SE more makes.

    Single cells of a few seeds are too few to tell, so the variance is a power of cost: its
    logarithm is fitted by a line in ln(cost) (Harvey 1976, corrected for the mean of
    ln(chi-square / df), weighted by its variance). With one seed a cell it is the square of the
    declared SE, or 0, without doubt.
    """
    n, error = points["n"], points["error"]
    usable = (n > 1) & (points["variance"] > 0)
    if usable.sum() < LEAST:
        return np.nan_to_num(points["se"] / error) ** 2, np.ones_like(error)
    half_df = (n[usable] - 1) / 2
    logs = np.log(points["variance"][usable] / error[usable] ** 2)
    logs -= digamma(half_df) - np.log(half_df)
    weights = 1 / polygamma(1, half_df)
    x = np.log(points["cost"])
    x -= np.average(x[usable], weights=weights)
    slope, level = np.polyfit(x[usable], logs, 1, w=np.sqrt(weights))
    slope_se = 1 / math.sqrt(float(weights @ x[usable] ** 2))
    return np.asarray(np.exp(level + slope * x) / n), np.asarray(np.exp(slope_se * x))


def decide_dispersion(d: Dispersion, margin: float = 0.0) -> Verdict:
    """Claim: configurations scatter more about a law of cost where cost is higher."""
    z_se = d.se / (1 - d.estimate**2)
    return d.verdict(margin, float(ndtr((math.atanh(d.estimate) - math.atanh(margin)) / z_se)))
