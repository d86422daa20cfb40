"""Whether a change is better than its base: one comparison of two groups of replicates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from analysis.stats.decision import MOST_SEEDS, POWER
from scaling_study.common.errors import InputError

# A refutation loses one change, a keep stays in everything after it: only keeps have a budget.
REFUTED_AT = 0.05
Scale = Literal["ln", "raw"]
SEVERAL = "a group needs two runs or more that differ in the seed, to know their noise"


@dataclass(frozen=True)
class Decision:
    """One comparison.

    `gain` is how much lower the change's outcome is: ln(mean base / mean change), or the raw
    difference. `low` is its lower limit at `level` (one-sided), `high` its upper limit at 5 %;
    `p` is the one-sided p value of a gain above `margin`. `seeds` per group would decide with 80 %
    power if the gain and the noise are as they look; None if more than MOST_SEEDS, or if decided.
    """

    verdict: Literal["supported", "refuted", "inconclusive"]
    gain: float
    low: float
    high: float
    p: float
    level: float
    margin: float
    se: float
    df: float
    seeds: int | None


def decide(
    base: Sequence[Sequence[float]],
    change: Sequence[Sequence[float]],
    level: float,
    margin: float = 0.0,
    scale: Scale = "ln",
) -> Decision:
    """Compare groups of outcomes that are minimised, cell by cell; cells weigh the same.

    Welch's t: each mean has its own variance, with Satterthwaite's degrees of freedom; of the
    logarithm of a mean the variance is that of the mean over its square (delta method). A group
    whose runs are all equal has noise that replicates did not show.

    Raises:
        InputError: a group without replicates or noise, or an outcome without logarithm.
    """
    parts, gain = list[tuple[float, int]](), 0.0
    for before, after in zip(base, change, strict=True):
        for values, sign in ((before, 1), (after, -1)):
            mean, variance = _mean(values, scale)
            gain += sign * mean / len(base)
            parts.append((variance / len(base) ** 2, len(values) - 1))
    total = sum(variance for variance, _ in parts)
    df = total**2 / sum(variance**2 / n for variance, n in parts)
    se = math.sqrt(total)
    p = float(stdtr(df, -(gain - margin) / se))
    low = gain - float(stdtrit(df, 1 - level)) * se
    high = gain + float(stdtrit(df, 1 - REFUTED_AT)) * se
    if p <= level:
        verdict: Literal["supported", "refuted", "inconclusive"] = "supported"
    else:
        verdict = "refuted" if high < margin else "inconclusive"
    n = min(len(values) for values in (*base, *change))
    seeds = _seeds(gain - margin, se * math.sqrt(n), df / n, level, n)
    seeds = seeds if verdict == "inconclusive" else None
    return Decision(verdict, gain, low, high, p, level, margin, se, df, seeds)


def _mean(values: Sequence[float], scale: Scale) -> tuple[float, float]:
    """The mean on the scale, and its variance."""
    n = len(values)
    if n < 2:
        raise InputError(f"a group has {n} run{'' if n == 1 else 's'}: {SEVERAL}")
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1)) / n
    if not variance > 0:
        raise InputError(
            f"all {n} runs of a group have the outcome {mean:g}: replicates that never differ are "
            "copies of each other, or the outcome is too coarse to show their noise"
        )
    if scale == "raw":
        return mean, variance
    if min(values) <= 0:
        raise InputError(f"outcome {min(values):g} has no logarithm; --scale raw takes differences")
    return math.log(mean), variance / mean**2


def _seeds(effect: float, sd: float, df_per_seed: float, level: float, least: int) -> int | None:
    """Seeds per group that decide an effect with POWER, at SE sd / sqrt(seeds)."""
    alpha = level if effect > 0 else REFUTED_AT
    for n in range(least + 1, MOST_SEEDS + 1):
        df = max(df_per_seed * n, 1.0)
        needed = float(stdtrit(df, 1 - alpha) + stdtrit(df, POWER))
        if abs(effect) >= needed * sd / math.sqrt(n):
            return n
    return None
