"""Does depth against width depend on where one starts: the same gap from every base of a grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, gap_of
from analysis.study.arms import pairs_of
from analysis.study.cells import Cell
from analysis.study.columns import Record
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise


@dataclass(frozen=True)
class Bases:
    """Gaps (relative error, positive where depth is better) from every base that has two arms.

    `records` are (depth, width, resolution, estimate); `mean` and `sd` are over them, and
    `positive` is the share in which depth is better. A description: bases share cells.
    """

    records: list[Record]
    mean: float
    sd: float
    positive: float

    def by_width(self) -> dict[float, float]:
        """Mean gap by the base's width."""
        return {
            w: float(np.mean([r["estimate"] for r in self.records if r["width"] == w]))
            for w in sorted({r["width"] for r in self.records})
        }


def bases(
    cells: Sequence[Cell], prereg: Preregistration, epochs: int, cost: str, noise: Noise
) -> Bases:
    """The gap of R1 from each (depth, width, resolution) whose arms share enough cost.

    Raises:
        PreconditionError: no base has two arms.
    """
    records: list[Record] = []
    for start in (c for c in cells if c.epochs == epochs):
        same_side = [c for c in cells if c.resolution == start.resolution]
        base = {"depth": float(start.depth), "width": start.width}
        pairs = pairs_of(same_side, base, epochs, cost)
        try:
            gap = gap_of(pairs, noise, Estimand(cost), prereg.alpha, prereg.min_overlap)
        except PreconditionError:
            continue
        where = {"depth": start.depth, "width": start.width, "resolution": start.resolution}
        records.append(where | {"estimate": gap.estimate})
    if not records:
        raise PreconditionError("no configuration has both arms")
    gaps = np.array([r["estimate"] for r in records])
    sd = float(gaps.std(ddof=1)) if len(gaps) > 1 else float("nan")
    return Bases(records, float(gaps.mean()), sd, float((gaps > 0).mean()))
