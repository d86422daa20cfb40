"""`harm`: single steps in width raise the error by more than two SE, in more than `margin`."""

from functools import partial

from analysis.laws.points import Points
from analysis.laws.returns import decide_harm, error_increases, harm
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The share of such steps."""
    h = harm(points, "width", 1 - alpha)
    note = f"{h.harmful} of {h.n} steps in width raise the error by more than two SE"
    return Estimate(h.gap, decide_harm(h, margin), (note,))


KIND = Law(
    check=partial(error_increases, axis="width"),
    judge=judge,
    quantity="share of steps in width that raise the error; margin {margin:g}",
    finding="{value} of single steps in width raise the error beyond noise",
    question=(
        "more than {margin_percent:g} % of single steps in width raise the error beyond noise: "
        "{value} do"
    ),
    format=(0, 100, " %"),
    share=True,
)
