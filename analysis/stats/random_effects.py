"""Effects of several data sets together: their mean, how they differ, and that of a new data set.

Data set i has the effect theta_i, drawn from a normal distribution with mean mu and SD tau, and its
estimate has the standard error s_i. tau^2 is where the weighted sum of squares about the mean,
Q(tau^2) with weights 1 / (s_i^2 + tau^2), is k - 1 (Paule & Mandel 1982). The interval of mu is
that of Hartung & Knapp (2001), never narrower than with their factor at 1 (Roever et al. 2015).

Q(tau^2) at the true tau^2 is chi-square with k - 1 degrees of freedom, so its quantiles give a
confidence distribution of tau^2 (Viechtbauer 2007). The interval for a new data set averages over
that distribution (Nagashima, Noma & Furukawa 2019). Intervals that put in one estimate of tau^2
cover too few new data sets with k - 1 degrees of freedom, and with k - 2, where k is 3, they are
several times as wide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri, stdtr

from analysis.stats.contrast import ROUNDING, t_quantile
from analysis.stats.interpolation import Floats
from analysis.stats.root import root
from analysis.study.columns import LEVEL

# Quantiles that stand for the confidence distribution of tau^2, and for the normal one.
NODES, NORMAL_NODES = 200, 60
MOST_STEPS = 100
# With fewer data sets nothing is said of a new one.
FEWEST = 3


class Measured(NamedTuple):
    """An estimate with its standard error and the degrees of freedom behind that."""

    estimate: float
    se: float
    df: float = math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Student's t."""
        half = t_quantile(self.df, LEVEL) * self.se
        return self.estimate - half, self.estimate + half


def fixed_effect(values: Sequence[Measured]) -> Measured:
    """One effect that is estimated several times: the mean with weights 1 / se^2.

    Noisy weights make it less precise than their sum says, by the factor of Meier (1953), and so
    does what the estimates differ by beyond their noise, by that of Birge (1932): the variance
    takes the larger. The degrees of freedom are Welch-Satterthwaite's.
    """
    if len(values) == 1:
        return values[0]
    y, se, df = (np.array(column) for column in zip(*values, strict=True))
    total = float(np.sum(se**-2.0))
    share = se**-2.0 / total
    mean = float(share @ y)
    meier = 1 + 4 * float(np.sum(share * (1 - share) / df))
    birge = float(np.sum(((y - mean) / se) ** 2)) / (len(values) - 1)
    known = float(np.sum(share**2 / df))
    return Measured(
        mean, math.sqrt(max(meier, birge) / total), 1 / known if known > 0 else math.inf
    )


@dataclass(frozen=True)
class RandomEffects:
    """Effects of k data sets, two or more, as draws from one normal distribution."""

    values: tuple[Measured, ...]

    @cached_property
    def tau(self) -> float:
        """The SD of the data sets' effects by Paule and Mandel; 0 where noise explains it all."""
        return math.sqrt(float(self._tau2(np.array([len(self.values) - 1.0]))[0]))

    @cached_property
    def tau_interval(self) -> tuple[float, float]:
        """The 95 % interval of that SD (Q-profile)."""
        df = len(self.values) - 1
        ends = self._tau2(np.array([float(chdtri(df, p)) for p in (1 - LEVEL, LEVEL)]))
        return math.sqrt(ends[0]), math.sqrt(ends[1])

    @cached_property
    def mean(self) -> Measured:
        """The mean of all data sets' effects."""
        mean, se = self._at(np.array([self.tau**2]))
        return Measured(float(mean[0]), float(se[0]), len(self.values) - 1)

    @cached_property
    def new(self) -> tuple[float, float] | None:
        """The 95 % prediction interval for the effect in a new data set; None with fewer than 3."""
        if len(self.values) < FEWEST:
            return None
        low, high = self.mean.interval
        step = max(high - low, ROUNDING)
        below, above = low - step, high + step
        while self.share_below(below) > 1 - LEVEL:
            step, below = 2 * step, below - 2 * step
        while self.share_below(above) < LEVEL:
            step, above = 2 * step, above + 2 * step
        return self._quantile(1 - LEVEL, below, above), self._quantile(LEVEL, below, above)

    def _quantile(self, share: float, low: float, high: float) -> float:
        return root(lambda value: self.share_below(value) - share, low, high)

    def share_below(self, value: float) -> float:
        """Confidence that the effect in a new data set is below a value."""
        tau2, mean, se = self._draws
        z = ndtri((np.arange(NORMAL_NODES) + 0.5) / NORMAL_NODES)
        distance = (value - mean[:, None] - np.sqrt(tau2)[:, None] * z) / se[:, None]
        return float(stdtr(len(self.values) - 1, distance).mean())

    @cached_property
    def _draws(self) -> tuple[Floats, Floats, Floats]:
        """Quantiles of the distribution of tau^2, and the mean with its SE at each."""
        sums = chdtri(len(self.values) - 1, (np.arange(NODES) + 0.5) / NODES)
        tau2 = self._tau2(sums)
        return tau2, *self._at(tau2)

    def _at(self, tau2: Floats) -> tuple[Floats, Floats]:
        """The mean and its SE at these tau^2.

        Hartung and Knapp's factor is below 1 by chance, if at all, where tau^2 is 0.
        """
        mean, total, square, _ = self._sums(tau2)
        factor = square / (len(self.values) - 1)
        factor = np.where(tau2 > 0, factor, np.maximum(1.0, factor))
        return mean, np.sqrt(factor / total)

    def _sums(self, tau2: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The weighted mean, the sum of weights, Q and -dQ / dtau^2, at each tau^2 (n,)."""
        y, se, _ = (np.array(column) for column in zip(*self.values, strict=True))
        weights = 1 / (se**2 + tau2[:, None])
        total = weights.sum(axis=1)
        mean = weights @ y / total
        parts = weights * (y - mean[:, None]) ** 2
        return mean, total, parts.sum(axis=1), (weights * parts).sum(axis=1)

    def _tau2(self, sums: Floats) -> Floats:
        """tau^2 where Q is each of these values (n,), 0 where it is never so much.

        Newton's method for 1 / Q, which is concave and nearly a line: from 0 it never goes too far.
        """
        tau2 = np.zeros_like(sums)
        for _ in range(MOST_STEPS):
            _, _, q, slope = self._sums(tau2)
            step, below = np.zeros_like(sums), q > sums
            step[below] = (q * (q - sums))[below] / (sums * slope)[below]
            tau2 = tau2 + step
            if (step <= 1e-14 * tau2).all():
                break
        return tau2
