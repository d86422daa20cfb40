"""`departure`: error departs from a power law of cost, it falls more slowly beyond some cost."""

from analysis.laws.points import Points, different_costs
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The change of slope; the verdict also needs that sup-F rejects a straight line."""
    # Only here: planning asks for the check alone, and what fits laws takes long to load.
    from analysis.laws.breakpoint import decide_deviation, deviation

    d = deviation(points)
    note = (
        f"slope {d.slope_below:.3f} below {d.break_cost:.3g} [{d.break_low:.3g}, "
        f"{d.break_high:.3g}], {d.slope_above:.3f} above; sup-F {d.sup_f:.1f}, p "
        f"{d.p_parametric:.2g} (parametric), {d.p_wild:.2g} (wild bootstrap); {d.n} configurations"
    )
    return Estimate(d.gap, decide_deviation(d, margin, alpha), (note,))


KIND = Law(
    check=different_costs,
    judge=judge,
    quantity="change of the slope of ln(error) on ln({cost}); margin {margin:g}",
    finding=(
        "Beyond the best breakpoint error falls {more_slowly} with {cost}: its exponent changes by "
        "{value}"
    ),
    question=(
        "error falls more slowly with {cost} beyond the best breakpoint: its exponent changes by "
        "{value}"
    ),
)
