"""How the frontiers of the two arms compare as wholes, and how much seeds move a frontier."""

from collections.abc import Sequence

import numpy as np

from analysis.stats.attainment import deviation
from analysis.stats.indicators import compare
from analysis.stats.interpolation import Floats
from analysis.study.cells import Cell
from analysis.study.columns import COST_NAMES, Record, finite
from analysis.study.study_cells import StudyCells


def _points(cells: Sequence[Cell], cost: str) -> Floats:
    return np.array([[c.cost(cost), c.error] for c in cells], dtype=np.float64)


def _seed_deviation(regime: Sequence[Cell], cost: str) -> float | None:
    measured = [c for c in regime if c.cost(cost)]
    if min(c.n for c in measured) < 2 or min(e for c in measured for e in c.errors) <= 0:
        return None  # nothing to compare, or an error without a logarithm
    return deviation(measured, cost)


def dominance(cells: StudyCells) -> list[Record]:
    """One record per regime, cost and setting of the other axes where both arms were run.

    `depth_share` and `width_share` are the arm's hypervolume over that of both, on (ln cost,
    ln error); `depth_cost_factor` is what the depth arm pays at most to err no more than the width
    arm (None if it cannot), and the other way round, by the names of the arms; `seed_deviation` is
    how far single seeds' frontiers lie from the typical one, as a share of the hypervolume.
    """
    if not cells.measure.log:
        return []
    records = []
    for epochs, regime in cells.select(lambda c: c.error > 0).regimes.items():
        for cost in COST_NAMES:
            for pair in regime.pairs(epochs, cost):
                first, second = cells.arms
                found = compare(_points(pair.first, cost), _points(pair.second, cost))
                records.append(
                    {"epochs": epochs, "cost": cost, "setting": pair.label}
                    | {f"{first}_share": found.share_a, f"{second}_share": found.share_b}
                    | {f"{first}_cost_factor": finite(found.cost_a)}
                    | {f"{second}_cost_factor": finite(found.cost_b)}
                    | {"seed_deviation": _seed_deviation(regime, cost)}
                )
    return records
