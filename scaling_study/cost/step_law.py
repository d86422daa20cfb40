"""The model of a step's time: ln t = k0 + k1 ln FLOPs + k2 ln activations of a batch.

Activations predict run time (Dollar et al. 2021). More work takes no less time, so slopes are
constrained to be non-negative; they are shrunk towards values measured on GPUs, more strongly when
the fit is noisy or the shapes are few or alike.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# k1 and k2 of some 500 convnets on GPUs (timm's tables), and the SD between devices.
SLOPES, SLOPES_SD = np.array([0.2, 0.85]), 0.3
# TYPICAL is the prior relative SD of one timing and is worth ENOUGH_DF degrees of freedom.
TYPICAL, ENOUGH_DF = 0.15, 4
# The fit and its noise agree after a few rounds, unless there is no noise.
MOST_ROUNDS = 100


@dataclass(frozen=True)
class Law:
    """The log-linear model of a device, centred on the mean of the measured points.

    `sd` of a measurement about the model has `df` degrees of freedom; the slopes' covariance is
    sd^2 `inverse`. `n` is the number of points.
    """

    centre: NDArray[np.float64]
    level: float
    slopes: NDArray[np.float64]
    inverse: NDArray[np.float64]
    sd: float
    df: float
    n: int

    def ln_time(self, x: NDArray[np.float64]) -> float:
        return self.level + float((x - self.centre) @ self.slopes)

    def sd_at(self, x: NDArray[np.float64]) -> float:
        """SD of ln of a new measurement at `x` about the forecast."""
        away = x - self.centre
        return self.sd * math.sqrt(1 + 1 / self.n + float(away @ self.inverse @ away))


def fitted(x: NDArray[np.float64], y: NDArray[np.float64]) -> Law:
    """The model of ln times `y` (n) at `x` (n, 2): ridge regression towards SLOPES, slopes >= 0.

    The strength of the ridge depends on the noise and the noise on the fit, so both are iterated.
    """
    n, centre, level = len(y), x.mean(0), float(y.mean())
    dx, dy = x - centre, y - level
    values, vectors = np.linalg.eigh(dx.T @ dx)
    sd = TYPICAL
    for _ in range(MOST_ROUNDS):
        before, trust = sd, max((sd / SLOPES_SD) ** 2, 1e-12)
        inverse = (vectors / (values + trust)) @ vectors.T
        slopes = _non_negative(dx.T @ dx + trust * np.eye(2), dx.T @ dy + trust * SLOPES)
        rest = dy - dx @ slopes
        free = n - 1 - float((values / (values + trust)).sum())
        assumed = max(0.0, ENOUGH_DF - free)
        sd = math.sqrt((float(rest @ rest) + assumed * TYPICAL**2) / (free + assumed))
        if math.isclose(sd, before, rel_tol=1e-9):
            break
    return Law(centre, level, slopes, inverse, sd, free + assumed, n)


def _non_negative(gram: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float64]:
    """The k >= 0 that minimises k' gram k / 2 - moment' k."""
    free = np.linalg.solve(gram, moment)
    if (free >= 0).all():
        return np.asarray(free)
    alone = np.diag((moment / np.diag(gram)).clip(min=0))
    return np.asarray(min(alone, key=lambda k: float(k @ gram @ k / 2 - moment @ k)))
