"""`dispersion`: configurations scatter more about a law of cost the more they cost."""

from analysis.laws.points import Points, different_costs
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """Spearman's rank correlation of absolute standardised residuals with cost."""
    # Only here: planning asks for the check alone, and what fits laws takes long to load.
    from analysis.laws.competing_forms import decide_dispersion, dispersion

    d = dispersion(points, 1 - alpha)
    below, above = (
        f"{100 * sd:.1f} % {where} the median cost, of which seeds explain {100 * seeds:.1f} %"
        for sd, seeds, where in (
            (d.sd_below, d.seeds_below, "below"),
            (d.sd_above, d.seeds_above, "above"),
        )
    )
    note = f"scatter about a law with a floor: {below}; {above}"
    return Estimate(d.gap, decide_dispersion(d, margin), (note,))


KIND = Law(
    check=different_costs,
    judge=judge,
    quantity="rank correlation of scatter about a law and {cost}; margin {margin:g}",
    finding=(
        "Configurations scatter {more} about a law of {cost} the more they cost: rank correlation "
        "{value}"
    ),
    question=(
        "configurations scatter more about a law of {cost} the more they cost: rank correlation "
        "{value}"
    ),
)
