"""`depth_first`: from 320 px on, depth returns more per cost than resolution."""

from analysis.laws.points import Points
from analysis.laws.returns import (
    decide_depth_first,
    depth_and_resolution_steps,
    depth_minus_resolution,
)
from analysis.rules.kind import Estimate
from analysis.rules.law import Law


def judge(points: Points, margin: float, alpha: float) -> Estimate:
    """The difference of both mean elasticities."""
    r = depth_minus_resolution(points, 1 - alpha)
    note = f"{r.n[0]} depth steps and {r.n[1]} resolution steps from 320 px on"
    return Estimate(r.gap, decide_depth_first(r, margin), (note,))


KIND = Law(
    check=depth_and_resolution_steps,
    judge=judge,
    quantity=(
        "return of depth minus that of resolution from 320 px on, per ln({cost}); margin {margin:g}"
    ),
    finding=(
        "From 320 px on, depth takes {size} {more} off ln(error) per ln({cost}) than resolution "
        "does"
    ),
    question=(
        "from 320 px on, depth takes more off the error than resolution does: per ln({cost}) it "
        "takes {value} more off ln(error)"
    ),
    format=(3,),
)
