"""The plan: every run of a grid with its cost and state, before anything is paid for."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.config import RunConfig
from scaling_study.cost import RunCost, describe, devices_needed, memory_bytes, run_cost
from scaling_study.errors import InputError
from scaling_study.forecast import Estimate
from scaling_study.grid import axis_keys, declared_grid
from scaling_study.planning.cells import Cell, Left, cells_of
from scaling_study.planning.memory import TOLERANCE
from scaling_study.planning.times import HOUR, Times, timings_of
from scaling_study.results import FINISHED, Result, replace_file
from scaling_study.store import Store
from scaling_study.values import flat_items


@dataclass(frozen=True)
class Planned:
    """One run: its config, the result columns known beforehand, its costs, times (s) and state.

    `step` and `time` are forecasts, None if nothing is measured; `actual_s` is the wall time of a
    finished run.
    """

    cell: Cell
    columns: Mapping[str, Any]
    cost: RunCost
    step: Estimate | None
    time: Estimate | None
    state: str
    actual_s: float | None

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


def planned_runs(
    settings: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[RunConfig]]:
    """The grid in `settings` and its runs; times are those that the store has measured.

    Raises:
        InputError: no grid, or one that cannot be planned.
    """
    results = Store(Path(str(settings.get("results_dir")))).read().values()
    threads = int(settings["launcher"]["threads"])
    grid, cells, _ = planned_cells(settings, overrides, Times(measured(results), threads))
    return grid, [cell.run for cell in cells]


def measured(results: Iterable[Result | None]) -> list[Any]:
    """The timings in those results that could be read."""
    return timings_of(result for result in results if result is not None)


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
    processes: int = 1,
) -> list[Planned]:
    """Cost, forecast and state of every cell; `results` is what `store.read()` has found.

    Memory is that of each of the `processes` that train a run together.
    """
    rows = [_planned(cell, store, results, times) for cell in cells]
    return rows if processes == 1 else [_shared(row, processes) for row in rows]


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
    return Planned(
        cell=cell,
        columns=columns,
        cost=run_cost(cell.run),
        step=times.step(cell.run, columns),
        time=times.whole(cell.run, columns),
        state=state,
        actual_s=result.wall_s if result is not None and state in FINISHED else None,
    )


def table(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The plan as columns: those of a result that are known, costs with intervals, state.

    Config keys that the grid varies and that are no column are columns of their own name. Blank is
    what was not measured.
    """
    plain = ("model.depth", "model.width", "data.resolution", "train.epochs", "seed")
    more = sorted(axis_keys(grid) - set(plain))
    return [_row(row, more) for row in rows]


def _row(row: Planned, more: Sequence[str]) -> dict[str, Any]:
    cost, solved = row.cost, row.cell.solved
    settings = dict(flat_items(vars_of(row.run))) if more else {}
    hours = row.time.times(1 / HOUR) if row.time else None
    return {
        **row.columns,
        "variant": row.cell.variant,
        **{key: settings.get(key) for key in more},
        "steps": cost.steps,
        "memory_bytes": cost.memory_bytes,
        "memory_bytes_low": round(cost.memory_bytes * (1 - TOLERANCE)),
        "memory_bytes_high": round(cost.memory_bytes * (1 + TOLERANCE)),
        "devices_80gb": devices_needed(row.run),
        "checkpoint_bytes": cost.checkpoint_bytes,
        "disk_bytes": cost.disk_bytes,
        "data_bytes": cost.data_bytes,
        **interval("forecast_step_time_s", row.step),
        **interval("forecast_s", row.time),
        **interval("gpu_hours", hours),
        "solved": solved.axis if solved else None,
        "solve_for": solved.quantity if solved else None,
        "solve_target": solved.target if solved else None,
        "solve_achieved": solved.achieved if solved else None,
        "solve_tolerance": solved.tolerance if solved else None,
        "state": row.state,
        "actual_s": row.actual_s,
    }


def vars_of(run: RunConfig) -> dict[str, Any]:
    """A run's settings as nested mappings."""
    return {**vars(run), "model": vars(run.model), "data": vars(run.data), "train": vars(run.train)}


def interval(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    """An estimate as three columns."""
    e = estimate or Estimate(float("nan"))
    return {name: e.value if estimate else None, f"{name}_low": e.low, f"{name}_high": e.high}


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
