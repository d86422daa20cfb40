"""Weights of cells in a fit: seeds scatter, and configurations scatter about any smooth law."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from analysis.fits.fit import Fit, fit
from analysis.fits.forms import Floats, Form
from analysis.fits.inputs import Column, column


@dataclass(frozen=True)
class Weighted:
    """A fit with weights 1 / (v_i + tau2): variances of ln(error) from seeds and configurations.

    `tau2` is what cells scatter about the form beyond their seeds; its root is a relative error.
    """

    fit: Fit
    tau2: float


def configuration_variance(residuals: Floats, v: Floats, df: int) -> float:
    """tau2 with sum(r^2 / (v + tau2)) = df, or 0 if seeds explain it all (Mandel & Paule 1970)."""

    def excess(tau2: float) -> float:
        return float(np.sum(residuals**2 / (v + tau2))) - df

    if excess(0.0) <= 0:
        return 0.0
    top = float(np.sum(residuals**2)) / df + 1e-12
    return float(brentq(excess, 0.0, top, xtol=1e-14))


def weighted_fit(
    table: Any, form: str | Form, *, y: Column, se: Column, **options: Any
) -> Weighted:
    """Fit with both variances, estimated in two rounds from an unweighted fit.

    `se` are standard errors of `y` from seeds: that of ln(y) is se / y. The variance of a cell
    mean is tau2 + s^2 / (n y^2): more seeds do not make a configuration lie closer to a law.
    `options` go to `fit`, whose errors are raised.
    """
    v = np.maximum((column(table, se) / column(table, y)) ** 2, 1e-16)
    found, tau2 = fit(table, form, y=y, **options), 0.0
    for _ in range(2):
        tau2 = configuration_variance(found.residuals, v[found.used], found.df)
        found = fit(table, form, y=y, weights=1 / (v + tau2), **options)
    return Weighted(found, tau2)
