"""Which law of cost fits best, and whether configurations scatter more where cost is high."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import spearmanr

from analysis.fits.fit import fit
from analysis.laws.number import Number
from analysis.laws.points import Points, different_costs
from analysis.stats.decision import Verdict

LAWS = ("pl", "spl", "seg", "u")
ENOUGH_FOR_SMOOTH_BREAK = 40
DISTINCT_BIC = 6.0


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
    """Scatter of ln(error) about E + A C^-a against cost.

    `estimate` is Spearman's rank correlation of |residual| and cost with its 95 % interval and p;
    `sd_below` and `sd_above` are relative errors on either side of the median cost.
    """

    p: float
    sd_below: float
    sd_above: float


def dispersion(points: Points, confidence: float = 0.95) -> Dispersion:
    """Whether configurations of equal cost differ more where cost is high.

    The interval of rho is by Fisher's z with variance (1 + rho^2 / 2) / (n - 3) (Bonett & Wright
    2000). Raises as `different_costs`.
    """
    different_costs(points)
    law = fit(points, "spl", y="error", x="cost")
    above = points["cost"] > np.median(points["cost"])
    found = spearmanr(np.abs(law.residuals), points["cost"])
    rho = float(found.statistic)
    z_se = math.sqrt((1 + rho**2 / 2) / (law.n - 3))
    z, half = math.atanh(rho), float(ndtri(0.5 + confidence / 2)) * z_se
    return Dispersion(
        estimate=rho,
        se=z_se * (1 - rho**2),
        df=law.n - 2,
        low=math.tanh(z - half),
        high=math.tanh(z + half),
        p=float(found.pvalue),
        sd_below=float(np.std(law.residuals[~above], ddof=1)),
        sd_above=float(np.std(law.residuals[above], ddof=1)),
    )


def decide_dispersion(d: Dispersion, margin: float = 0.0) -> Verdict:
    """Claim: configurations scatter more about a law of cost where cost is higher."""
    z_se = d.se / (1 - d.estimate**2)
    return d.verdict(margin, float(ndtr((math.atanh(d.estimate) - math.atanh(margin)) / z_se)))
