"""Gaps between depth and width at every regime, cost and resolution: a description, no test."""

from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand
from analysis.study.cells import cells_of
from analysis.study.columns import COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.table import Table


def gaps(table: Table, prereg: Preregistration) -> list[dict[str, Any]]:
    """ln(error) of width minus that of depth, averaged over resolutions and at each.

    One record each: epochs, cost, resolution (px, None for the average), then estimate, low, high
    and se as relative errors, or the reason there are none.
    """
    cells = cells_of(table.rows)
    records = []
    for epochs in sorted({c.epochs for c in cells}):
        resolutions = sorted({c.resolution for c in cells if c.epochs == epochs})
        for axis in COST_NAMES:
            for resolution in (None, *resolutions):
                chosen = [c for c in cells if resolution in (None, c.resolution)]
                record: dict[str, Any] = {"epochs": epochs, "cost": axis, "resolution": resolution}
                records.append(record | _gap_record(Evidence(chosen, prereg), epochs, axis))
    return records


def _gap_record(evidence: Evidence, epochs: int, axis: str) -> dict[str, Any]:
    try:
        gap, _, _ = evidence.gap_at(epochs, Estimand(axis))
    except PreconditionError as reason:
        return {"estimate": None, "low": None, "high": None, "se": None, "reason": str(reason)}
    return {
        "estimate": gap.estimate,
        "low": gap.low,
        "high": gap.high,
        "se": gap.se,
        "reason": None,
    }
