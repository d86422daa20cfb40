"""Where scaling does harm: single steps that raise the error, whatever the law of cost."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from analysis.fits.descent import Mask
from analysis.laws.number import Number
from analysis.laws.points import Points, steps
from analysis.stats.decision import Verdict, value_of
from scaling_study.common.errors import InputError


@dataclass(frozen=True)
class Harm(Number):
    """Share of `n` single scaling steps whose error rises by more than 2 SE: `harmful` ones.

    The interval is that of Clopper and Pearson.
    """

    harmful: int
    n: int


def error_increases(points: Points, axis: str) -> Mask:
    """For each step from one level of an axis to the next: does it make error worse?

    Raises:
        InputError: no steps, or no standard errors.
    """
    if not np.isfinite(points["se"]).all():
        raise InputError("nothing says how runs scatter, so no step can be called harmful")
    a, b = steps(points, axis)
    if not len(a):
        raise InputError(f"no two configurations one step apart along {axis}")
    se = np.hypot(points["se"][a], points["se"][b])
    worse: Mask = points["error"][b] - points["error"][a] > 2 * se
    return worse


def harm(points: Points, axis: str, confidence: float = 0.95) -> Harm:
    """Share of steps from one level of an axis to the next that make error worse.

    No functional form is needed; `se` of the points says what seeds explain.

    Raises:
        InputError: no steps, or no standard errors.
    """
    worse = error_increases(points, axis)
    k, n, tail = int(worse.sum()), len(worse), (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    share = k / n
    return Harm(share, math.sqrt(share * (1 - share) / n), n - 1, low, high, k, n)


def decide_harm(h: Harm, margin: float = 0.025) -> Verdict:
    """Claim: more than `margin` of the steps along an axis do harm.

    The default margin is what noise alone does: a rise of more than 2 SE in 2.3 % of steps that
    change nothing.
    """
    return Verdict(*value_of(h.low, h.high, margin))
