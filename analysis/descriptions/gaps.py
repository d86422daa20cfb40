"""Gaps between the two arms at every regime, cost and resolution: a description, no test."""

from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand
from analysis.study.columns import COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells


def gaps(cells: StudyCells, prereg: Preregistration) -> list[dict[str, Any]]:
    """ln(error) of the second arm minus that of the first, averaged over resolutions and at each.

    One record each: epochs, cost, resolution (px, None for the average), then estimate, low, high
    and se as relative errors (or raw differences), or the reason there are none.
    """
    records = []
    for epochs, regime in cells.regimes.items():
        resolutions = sorted({c.resolution for c in regime})
        for cost in dict.fromkeys((*COST_NAMES, prereg.cost)):
            for resolution in (None, *resolutions):
                chosen = cells if resolution is None else cells.at_resolution(resolution)
                record: dict[str, Any] = {"epochs": epochs, "cost": cost, "resolution": resolution}
                records.append(record | _gap_record(Evidence(chosen, prereg), epochs, cost))
    return records


def _gap_record(evidence: Evidence, epochs: int, cost: str) -> dict[str, Any]:
    names = ("estimate", "low", "high", "se")
    try:
        gap, _, _ = evidence.gap_at(epochs, Estimand(cost))
    except PreconditionError as reason:
        return dict.fromkeys(names) | {"reason": str(reason)}
    return {name: getattr(gap, name) for name in names} | {"reason": None}
