"""`slower`: on the cheapest path, resolution grows more slowly than in compound scaling."""

from analysis.laws.number import Number
from analysis.laws.points import Points, quadratic_in_size
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The difference of exponents; not testable unless the path is one of minima."""
    # Only here: planning asks for the check alone, and what fits laws takes long to load.
    from analysis.laws.cheapest_path import compound_exponents, decide_slower, path_exponent

    g = path_exponent(points, confidence=1 - alpha)
    compound = compound_exponents()["resolution"]
    note = (
        f"resolution grows with cost to the power {g.estimate:.3f} [{g.low:.3f}, {g.high:.3f}] on "
        f"the cheapest path, {compound:.3f} in compound scaling; a path of minima in "
        f"{100 * g.p_definite:.1f} % of draws"
    )
    less = Number(compound - g.estimate, g.se, g.df, compound - g.high, compound - g.low)
    return Estimate(less.gap, decide_slower(g, margin), (note,))


KIND = Law(
    check=quadratic_in_size,
    judge=judge,
    quantity=(
        "exponent of resolution in compound scaling minus that on the cheapest path in {cost}; "
        "margin {margin:g}"
    ),
    finding=(
        "On the cheapest path, resolution grows with {cost} {more_slowly} than in compound "
        "scaling, by an exponent of {size}"
    ),
    question=(
        "resolution grows with {cost} more slowly on the cheapest path than in compound scaling: "
        "its exponent is smaller by {value}"
    ),
)
