"""A number that a fit or a test gives, with its interval, and the verdict on a claim about it."""

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from analysis.stats.contrast import ROUNDING, Gap
from analysis.stats.decision import Verdict, value_of


@dataclass(frozen=True)
class Number:
    """An estimate with its standard error, degrees of freedom and interval."""

    estimate: float
    se: float
    df: float
    low: float
    high: float

    @property
    def gap(self) -> Gap:
        """The number as the effect of a rule; no cells or costs belong to it."""
        return Gap(self.estimate, self.se, self.df, self.low, self.high, 1.0, 0.0, {}, {})

    def p_above(self, margin: float) -> float:
        """Probability by Student's t that a number at `margin` gives less than this estimate."""
        away = self.estimate - margin
        t = away / self.se if self.se else math.copysign(math.inf, away)
        return float(stdtr(self.df, t))

    def verdict(self, margin: float, against: float) -> Verdict:
        """The verdict on "number > margin", `against` being the p value of its refutation."""
        value, reason = value_of(self.low, self.high, margin)
        return Verdict(value, reason, p_supported=1 - against, p_refuted=against)


def by_t(estimate: float, se: float, df: float, confidence: float = 0.95) -> Number:
    """A number with the interval of Student's t.

    Points that agree exactly leave rounding alone, whose sign says nothing: the standard error is
    at least what that is.
    """
    se = max(se, ROUNDING)
    half = float(stdtrit(df, 0.5 + confidence / 2)) * se
    return Number(estimate, se, df, estimate - half, estimate + half)
