"""The plan: every run of a grid with its cost and state, before anything is paid for."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.config import AXES, RunConfig
from scaling_study.cost import (
    DISK_TOLERANCE,
    RunCost,
    describe,
    devices_needed,
    memory_bytes,
    run_cost,
)
from scaling_study.errors import InputError
from scaling_study.forecast import Estimate
from scaling_study.grid import axis_keys, declared_grid
from scaling_study.planning.cells import Cell, Left, cells_of
from scaling_study.planning.memory import TOLERANCE
from scaling_study.planning.times import HOUR, Times
from scaling_study.regimes import GROUPS
from scaling_study.results import FINISHED, Result, replace_file
from scaling_study.store import Store
from scaling_study.values import flat_items


@dataclass(frozen=True)
class Planned:
    """One run: its config, the result columns known beforehand, its costs, times (s) and state.

    `step`, `time` and `gpu_hours` (of all the GPUs that train it) are forecasts, None if nothing is
    measured; `actual_s` and `actual_gpu_hours` are what a finished run took.
    """

    cell: Cell
    columns: Mapping[str, Any]
    cost: RunCost
    step: Estimate | None
    time: Estimate | None
    gpu_hours: Estimate | None
    state: str
    actual_s: float | None
    actual_gpu_hours: float | None

    @property
    def run(self) -> RunConfig:
        return self.cell.run

    @property
    def forecast_s(self) -> float | None:
        return self.time.value if self.time else None


def planned_cells(
    settings: Mapping[str, Any], overrides: Sequence[str], times: Times | None
) -> tuple[dict[str, Any], list[Cell], list[Left]]:
    """The grid in `settings`, checked, its cells, and the points that are none.

    Raises:
        InputError: no grid, or one that cannot be planned.
    """
    grid = declared_grid(settings.get("grid"), overrides)
    cells, left = cells_of(grid, settings, times)
    if not cells:
        why = f"; the first point: {left[0].why}" if left else ""
        raise InputError(f"grid.name={grid['name']}: no cell is left of {len(left)} points{why}")
    return grid, cells, left


def check_accepted(
    runs: Iterable[RunConfig], store: Store, results: Mapping[str, Result | None]
) -> None:
    """Refuse finished results that left out corrupt images, where data.corrupt=fail is asked.

    Raises:
        InputError: there are some; the message has the number of images.
    """
    strict = [run.run_id for run in runs if getattr(run.data, "corrupt", None) == "fail"]
    stored = [result for run_id in strict if (result := results.get(run_id)) is not None]
    if found := [r for r in stored if r.status in FINISHED and r.corrupt_images]:
        first, more = found[0], len(found) - 1
        raise InputError(
            f"data.corrupt=fail: {first.run_id} has a result that left out {first.corrupt_images} "
            f"corrupt images{f', and {more} more runs have such' if more else ''}; "
            "data.corrupt=skip takes it as it is; to train again, mend the images and remove "
            f"{store.run_dir(first.run_id)}"
        )


def plan(
    cells: Sequence[Cell],
    store: Store,
    results: Mapping[str, Result | None],
    times: Times,
) -> list[Planned]:
    """Cost, forecast and state of every cell; `results` is what `store.read()` has found.

    Memory is that of each of the processes that train a run together.
    """
    rows = [_planned(cell, store, results, times) for cell in cells]
    return rows if times.processes == 1 else [_shared(row, times.processes) for row in rows]


def _shared(row: Planned, processes: int) -> Planned:
    return replace(row, cost=replace(row.cost, memory_bytes=memory_bytes(row.run, processes)))


def _planned(
    cell: Cell, store: Store, results: Mapping[str, Result | None], times: Times
) -> Planned:
    run_id, columns = cell.run.run_id, describe(cell.run)
    result = results.get(run_id)
    if result is not None and result.status in FINISHED:
        state = result.status
    else:
        # A folder without a result: in work, failed, torn, or left by a crash.
        state = store.state(run_id) if run_id in results else "planned"
    time = times.whole(cell.run, columns)
    actual_s = result.wall_s if result is not None and state in FINISHED else None
    return Planned(
        cell=cell,
        columns=columns,
        cost=run_cost(cell.run),
        step=times.step(cell.run, columns),
        time=time,
        gpu_hours=times.gpu_hours(cell.run, time) if time else None,
        state=state,
        actual_s=actual_s,
        actual_gpu_hours=None if actual_s is None else actual_s * times.gpus(cell.run) / HOUR,
    )


def table(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plan as columns: those of a result that are known, costs with intervals, state.

    Config keys that the grid varies, and all others that differ between runs because a recipe's
    regimes set them, are columns of their own name unless a column has them. Blank is what was not
    measured.
    """
    settings = Settings()
    varied = axis_keys(grid) | settings.differing([row.run for row in rows])
    more = sorted(varied - set(AXES.values()))
    return [_row(row, more, settings.of(row.run) if more else {}) for row in rows]


class Settings:
    """The settings of runs by their dotted names; runs share parts, and each is looked at once."""

    def __init__(self) -> None:
        self._flat: dict[int, dict[str, Any]] = {}

    def _part(self, run: RunConfig, name: str) -> dict[str, Any]:
        part = getattr(run, name)
        if id(part) not in self._flat:
            self._flat[id(part)] = dict(flat_items(vars(part), f"{name}."))
        return self._flat[id(part)]

    def of(self, run: RunConfig) -> dict[str, Any]:
        """All settings of a run."""
        parts = (self._part(run, name) for name in GROUPS)
        return vars(run) | {key: value for part in parts for key, value in part.items()}

    def differing(self, runs: Sequence[RunConfig]) -> set[str]:
        """Those under model, data and train that are not the same in all runs."""
        found: set[str] = set()
        for name in GROUPS:
            parts = list({id(getattr(run, name)): self._part(run, name) for run in runs}.values())
            keys = {key for part in parts for key in part}
            found |= {k for k in keys if any(p.get(k) != parts[0].get(k) for p in parts)}
        return found


def _row(row: Planned, more: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    cost, solved = row.cost, row.cell.solved
    return {
        **row.columns,
        "variant": row.cell.variant,
        **{key: settings.get(key) for key in more},
        "steps": cost.steps,
        **around("memory_bytes", cost.memory_bytes, TOLERANCE),
        "devices_80gb": devices_needed(row.run),
        **around("checkpoint_bytes", cost.checkpoint_bytes, DISK_TOLERANCE),
        **around("disk_bytes", cost.disk_bytes, DISK_TOLERANCE),
        **around("data_bytes", cost.data_bytes, 0.0),
        **interval("forecast_step_time_s", row.step),
        **interval("forecast_s", row.time),
        **interval("gpu_hours", row.gpu_hours),
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


def around(name: str, value: int, tolerance: float) -> dict[str, int]:
    """Bytes as three columns, the ends a relative `tolerance` away; 0 if they are exact."""
    low, high = (round(value * (1 + sign * tolerance)) for sign in (-1, 1))
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def write_csv(rows: Sequence[Planned], grid: Mapping[str, Any], path: Path) -> None:
    """Write the plan as a table, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    records = table(rows, grid)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(records[0])
    writer.writerows(record.values() for record in records)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror})") from None
