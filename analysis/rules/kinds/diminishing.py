"""`diminishing`: resolution returns less from 320 px on than up to 160 px."""

from analysis.laws.points import Points
from analysis.laws.returns import decide_diminishing, diminishing, resolution_steps
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The ratio of both mean elasticities; the claim is that it is below the margin."""
    r = diminishing(points, 1 - alpha)
    note = f"{r.n[0]} steps from 320 px on, {r.n[1]} from up to 160 px"
    return Estimate(r.gap, decide_diminishing(r, margin), (note,))


KIND = Law(
    check=resolution_steps,
    judge=judge,
    quantity=(
        "return of resolution from 320 px on over that up to 160 px, per ln({cost}); less than "
        "{margin:g} claimed"
    ),
    finding="A step in resolution from 320 px on returns {value} times what one up to 160 px does",
    question=(
        "a step in resolution from 320 px on returns less than {margin:g} times what one up to "
        "160 px does: it returns {value} times that"
    ),
)
