"""Where scaling does harm: single steps that raise the error, whatever the law of cost."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from analysis.fits.descent import Mask
from analysis.laws.points import AXES, Points, steps
from analysis.stats.decision import Verdict, not_testable_on_error, value_of
from scaling_study.common.errors import InputError


@dataclass(frozen=True)
class Harm:
    """Single scaling steps along one axis (or all) whose error rises by more than 2 SE.

    `estimate` is their share of `n` steps, with its Clopper-Pearson interval.
    """

    axis: str
    estimate: float
    low: float
    high: float
    harmful: int
    n: int


def error_increases(points: Points, axis: str | None = None) -> Mask:
    """For each step from one level of an axis (or all) to the next: does it make error worse?

    Raises:
        InputError: no steps, or no standard errors.
    """
    if not np.isfinite(points["se"]).all():
        raise InputError("nothing says how runs scatter, so no step can be called harmful")
    found = []
    for name in (axis,) if axis else AXES:
        a, b = steps(points, name)
        se = np.hypot(points["se"][a], points["se"][b])
        found.append(points["error"][b] - points["error"][a] > 2 * se)
    worse: Mask = np.concatenate(found)
    if not len(worse):
        raise InputError(f"no two configurations one step apart along {axis or 'any axis'}")
    return worse


def harm(points: Points, axis: str | None = None, confidence: float = 0.95) -> Harm:
    """Share of steps from one level of an axis to the next that make error worse.

    No functional form is needed; `se` of the points says what seeds explain.

    Raises:
        InputError: no steps, or no standard errors.
    """
    worse = error_increases(points, axis)
    k, n, tail = int(worse.sum()), len(worse), (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Harm(axis or "all", k / n, low, high, k, n)


@not_testable_on_error
def judge_harm(points: Points, axis: str, alpha: float = 0.05, margin: float = 0.025) -> Verdict:
    """Claim: more than `margin` of the steps along an axis do harm.

    The default margin is what noise alone does: a rise of more than 2 SE in 2.3 % of steps that
    change nothing.
    """
    h = harm(points, axis, 1 - alpha)
    return Verdict(*value_of(h.low, h.high, margin))
