"""The noise that planned seeds will measure, and the width of the intervals that rest on it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from analysis.stats.decision import POWER
from analysis.stats.root import root
from analysis.study.noise import Floats, Noise, Variance, moderated

DRAWS = 4000
# Draws times cells; with many cells a few draws tell as much.
MOST = 2_000_000
# The two-sided level for which the degrees of freedom are matched.
ALPHA = 0.05


@dataclass(frozen=True)
class PlannedNoise(Noise):
    """Noise with the variances that are assumed, and as many replicates as are planned."""

    def of_sum(self, factors: Mapping[str, float]) -> Variance:
        """The true variance of a sum, and effective degrees of freedom of its estimate.

        With them Student's t and the true SE give the effect that the real rule (`moderated`),
        whose SE and degrees of freedom vary from study to study, supports with 80 % power.
        """
        if not self.replicates:
            return super().of_sum(factors)
        variance = sum(f * self.variances[key] for key, f in factors.items())
        if not variance:
            return Variance(variance, math.inf)
        draws = max(200, min(DRAWS, MOST // len(self.replicates)))
        estimates, dfs = self.draw(factors, draws, np.random.default_rng(20210313))
        quantiles = np.asarray(stdtrit(dfs.clip(max=1e9), 1 - ALPHA / 2), dtype=np.float64)
        return Variance(variance, effective_df(quantiles * np.sqrt(estimates / variance)))

    def draw(
        self, factors: Mapping[str, float], draws: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Estimated variances of the sum and their degrees of freedom in `draws` studies."""
        dfs = np.array([df for _, df in self.replicates.values()], dtype=float)
        true = np.array([v for v, _ in self.replicates.values()])
        drawn = true * rng.chisquare(dfs, (draws, dfs.size)) / dfs
        pool = drawn @ dfs / dfs.sum()
        chosen = np.array([key in factors for key in self.replicates])
        known = np.array([factors[key] for key in self.replicates if key in factors])
        total, df = moderated(known, drawn[:, chosen], dfs[chosen], pool)
        single = pool * sum(f for key, f in factors.items() if key not in self.replicates)
        both = total + single
        rest = total**2 / df + single**2 / dfs.sum()
        return both, both**2 / rest


def effective_df(halves: Floats) -> float:
    """Degrees of freedom whose t test needs the same effect for 80 % power as these half-widths.

    `halves` are half-widths of simulated intervals in units of the true SE: an effect of d SE is
    supported where d + z exceeds one of them.
    """
    z = float(ndtri(POWER))
    nearest, furthest = float(halves.min()) + z, float(halves.max()) + z
    effect = root(lambda d: float(ndtr(d - halves).mean()) - POWER, nearest, furthest)

    def excess(log_df: float) -> float:
        df = math.exp(log_df)
        return float(stdtrit(df, 1 - ALPHA / 2) + stdtrit(df, POWER)) - effect

    low, high = math.log(0.2), math.log(1e9)
    if excess(high) >= 0:
        return math.inf
    return math.exp(root(excess, low, high)) if excess(low) > 0 else math.exp(low)
