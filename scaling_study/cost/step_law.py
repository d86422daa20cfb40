"""The model of a step's time: ln t = k0 + k1 ln FLOPs + k2 ln activations of a batch.

Activations predict run time (Dollar et al. 2021). More work takes no less time, so slopes are
constrained to be non-negative; they are shrunk towards values measured on GPUs, more strongly when
the fit is noisy or the shapes are few or alike.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# k1 and k2 of some 500 convnets on GPUs (timm's tables), and the SD between devices.
SLOPES, SLOPES_SD = np.array([0.2, 0.85]), 0.3
# TYPICAL is the prior relative SD of one timing and is worth ENOUGH_DF degrees of freedom.
TYPICAL, ENOUGH_DF = 0.15, 4
# Of noise, so that points on a plane, too, shrink slopes by something.
LEAST_VARIANCE = 1e-13
# The fit and its noise agree after a few rounds, unless there is no noise.
MOST_ROUNDS = 100

# What a step's time depends on: FLOPs and activations of an image, images of a batch.
Shape = tuple[Any, ...]
# Whether a network has activations, the outputs of convolutions.
Kind = bool


def kind_of(shape: Shape) -> Kind | None:
    """Which costs a shape has: networks with other costs have a model of their own.

    None if its step times follow from nothing, because its FLOPs or its batch are not known.
    """
    flops, activations, batch = shape
    return bool(activations) if flops and batch else None


def features(shape: Shape) -> NDArray[np.float64]:
    """Row of the log-linear model: ln FLOPs and ln activations of a batch.

    FLOPs stand for the activations of a network that has none: its time rises with FLOPs alone.
    """
    flops, activations, batch = shape
    return np.array([math.log(batch * flops), math.log(batch * (activations or flops))])


@dataclass(frozen=True)
class Prior:
    """What is known of a device before anything is measured on it.

    ln of a step's time is `level` at `centre` with the SD `level_sd` between devices, and rises by
    `slopes`; networks scatter about a device's law by `sd`. All have `df` degrees of freedom.
    """

    centre: NDArray[np.float64]
    level: float
    level_sd: float
    slopes: NDArray[np.float64]
    slopes_covariance: NDArray[np.float64]
    sd: float
    df: float

    def ln_time(self, x: NDArray[np.float64]) -> float:
        return self.level + float((x - self.centre) @ self.slopes)

    def law(self) -> "Law":
        """The prior as the law of a device that nothing was measured on."""
        inverse, worth = self.slopes_covariance / self.sd**2, (self.sd / self.level_sd) ** 2
        return Law(self.centre, self.level, self.slopes, inverse, self.sd, self.df, worth)


@dataclass(frozen=True)
class Law:
    """The log-linear model of a device, centred on the mean of the measured points.

    `sd` of a measurement about the model has `df` degrees of freedom; the slopes' covariance is
    sd^2 `inverse`. `n` is the number of points, and what a prior of the level is worth in points.
    """

    centre: NDArray[np.float64]
    level: float
    slopes: NDArray[np.float64]
    inverse: NDArray[np.float64]
    sd: float
    df: float
    n: float

    def ln_time(self, x: NDArray[np.float64]) -> float:
        return self.level + float((x - self.centre) @ self.slopes)

    def sd_at(self, x: NDArray[np.float64]) -> float:
        """SD of ln of a new measurement at `x` about the forecast."""
        away = x - self.centre
        return self.sd * math.sqrt(1 + 1 / self.n + float(away @ self.inverse @ away))


def fitted(x: NDArray[np.float64], y: NDArray[np.float64], prior: Prior | None = None) -> Law:
    """The model of ln times `y` (n) at `x` (n, 2): ridge regression towards SLOPES, slopes >= 0.

    The strength of the ridge depends on the noise and the noise on the fit, so both are iterated.
    With a `prior` slopes are shrunk towards its own, and the level is that of the points and of the
    prior, each by its precision.
    """
    if prior is not None and not len(y):
        return prior.law()
    n, centre, level = len(y), x.mean(0), float(y.mean())
    dx, dy = x - centre, y - level
    towards = SLOPES if prior is None else prior.slopes
    spread = np.eye(2) * SLOPES_SD**2 if prior is None else prior.slopes_covariance
    # In a basis where the slopes' prior is a unit ball, so that points along a line do no harm.
    root = np.linalg.cholesky(spread)
    values, vectors = np.linalg.eigh((dx @ root).T @ (dx @ root))
    basis, sd = root @ vectors, TYPICAL
    for _ in range(MOST_ROUNDS):
        before, trust = sd, max(sd**2, LEAST_VARIANCE)
        inverse = (basis / (values + trust)) @ basis.T
        slopes = towards + inverse @ (dx.T @ (dy - dx @ towards))
        if (slopes < 0).any():
            ridge = trust * np.linalg.inv(spread)
            slopes = _best_alone(dx.T @ dx + ridge, dx.T @ dy + ridge @ towards)
        rest = dy - dx @ slopes
        free = n - 1 - float((values / (values + trust)).sum())
        assumed = max(0.0, ENOUGH_DF - free)
        sd = math.sqrt((float(rest @ rest) + assumed * TYPICAL**2) / (free + assumed))
        if math.isclose(sd, before, rel_tol=1e-9):
            break
    worth = 0.0 if prior is None else (sd / prior.level_sd) ** 2
    if prior is not None:
        level = (n * level + worth * prior.ln_time(centre)) / (n + worth)
    return Law(centre, level, slopes, inverse, sd, free + assumed, n + worth)


def _best_alone(gram: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float64]:
    """The k >= 0 that minimises k' gram k / 2 - moment' k where one of the two has to be 0."""
    alone = np.diag((moment / np.diag(gram)).clip(min=0))
    return np.asarray(min(alone, key=lambda k: float(k @ gram @ k / 2 - moment @ k)))
