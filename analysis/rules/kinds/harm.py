"""`harm`: single steps in width raise the error by more than two SE, in more than `margin`."""

import math

from analysis.laws.harmful_steps import error_increases, harm, judge_harm
from analysis.laws.points import Points
from analysis.rules.kind import Estimate
from analysis.rules.law import Law, number


def check(points: Points) -> None:
    """Raises InputError without steps in width, or without standard errors."""
    error_increases(points, "width")


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The share of such steps."""
    h = harm(points, "width", 1 - alpha)
    note = f"{h.harmful} of {h.n} steps in width raise the error by more than two SE"
    se = math.sqrt(h.estimate * (1 - h.estimate) / h.n)
    gap = number(h.estimate, se, h.n - 1, h.low, h.high)
    return Estimate(gap, judge_harm(points, "width", alpha, margin), (note,))


KIND = Law(
    check=check,
    judge=judge,
    quantity="share of steps in width that raise the error; margin {margin:g}",
    finding="{value} of single steps in width raise the error beyond noise",
    question=(
        "more than {margin_percent:g} % of single steps in width raise the error beyond noise: "
        "{value} do"
    ),
    format=(0, 100, " %"),
)
