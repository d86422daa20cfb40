"""A plan as a table: a row a run, as printed, written to plan.csv and read by the analysis."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_csv
from scaling_study.config.axes import Settings
from scaling_study.cost.closed_form import DISK_TOLERANCE
from scaling_study.cost.step_memory import devices_needed
from scaling_study.cost.time_model import Estimate
from scaling_study.grid.declared import axis_keys
from scaling_study.models.memory import TOLERANCE
from scaling_study.planning.labels import labelled_by
from scaling_study.planning.plan import Planned
from scaling_study.study.axes import NAMES
from scaling_study.study.table import ANCHOR, LABELS, PARENTS, RATES, SHARED, STAGE, TRUNK


def table(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plan as columns: those of a result that are known, costs with intervals, state.

    Config keys that the grid varies, and all others that differ between runs because a recipe's
    regimes set them, are columns of their own name unless a column has them. Where runs start from
    others, `parents` are those and `stage` names a run that is no cell; where others label images
    for them, `label_flops` are those of the labels that a run is the first to need. Where lengths
    share a trunk, `trunk` names it, `shared_flops` are those that another run trains, and `anchor`
    is the cell that a run by cosine is compared with. Blank is what was not measured. A grid with
    `tuned` has more about the learning rate, see `grid.cell.Cell`.
    """
    settings = Settings()
    cells = [row.run for row in rows if row.cell.judged]
    varied = axis_keys(grid) | settings.differing(cells)
    more = sorted(varied - NAMES.keys())
    records = [_row(row, more, settings.of(row.run) if more else {}) for row in rows]
    if any(row.run.parents for row in rows):
        for record, row in zip(records, rows, strict=True):
            record |= {STAGE: row.stage, PARENTS: " ".join(row.run.parents)}
    if labels := labelled_by(rows):
        for record, row in zip(records, rows, strict=True):
            first = labels.get(row.run.run_id)
            record |= {LABELS: first.flops if first else None}
    if any(row.run.trunk for row in rows):
        for record, row in zip(records, rows, strict=True):
            trunk = row.run.trunk_id if row.run.on_trunk else None
            shared = row.cost.shared_flops
            record |= {TRUNK: trunk, SHARED: shared, ANCHOR: row.cell.anchor or None}
    if grid.get("tuned") is None:
        return records
    rates = ({name: getattr(row.cell, name) for name in RATES} for row in rows)
    return [record | rate for record, rate in zip(records, rates, strict=True)]


def _row(row: Planned, more: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    cost, solved = row.cost, row.cell.solved
    return {
        **{name: value for name, value in row.columns.items() if name != SHARED},
        "variant": row.cell.variant,
        **{key: settings.get(key) for key in more},
        "steps": cost.steps,
        **around("memory_bytes", cost.memory_bytes, TOLERANCE),
        "devices_80gb": devices_needed(row.run),
        "processes": row.processes,
        **around("checkpoint_bytes", cost.checkpoint_bytes, DISK_TOLERANCE),
        **around("disk_bytes", cost.disk_bytes, DISK_TOLERANCE),
        **around("data_bytes", cost.data_bytes, 0.0),
        **interval("forecast_step_time_s", row.step),
        **interval("forecast_s", row.time),
        **interval("gpu_hours", row.gpu_hours),
        "forecast_basis": row.basis,
        "solved": solved.axis if solved else None,
        "solve_for": solved.quantity if solved else None,
        "solve_target": solved.target if solved else None,
        "solve_achieved": solved.achieved if solved else None,
        "solve_tolerance": solved.tolerance if solved else None,
        "state": row.state,
        "actual_s": row.actual_s,
    }


def interval(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """An estimate as three columns."""
    value, low, high = (estimate.value, estimate.low, estimate.high) if estimate else (None,) * 3
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def around(name: str, value: int | None, tolerance: float) -> dict[str, int | None]:
    """Bytes as three columns, the ends a relative `tolerance` away; 0 if they are exact."""
    if value is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    low, high = (round(value * (1 + sign * tolerance)) for sign in (-1, 1))
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def write_csv(rows: Sequence[Planned], grid: Mapping[str, Any], path: Path) -> None:
    """Write the plan as a table, whole or not at all; raises an InputError where it cannot."""
    records = table(rows, grid)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_csv(path, [records[0], *(record.values() for record in records)])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot write there ({reason})") from None
