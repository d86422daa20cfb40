"""The plan: every run of a grid with its cost and state, before anything is paid for."""

import csv
import io
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling_study.config import RunConfig, run_config
from scaling_study.cost import describe, run_cost
from scaling_study.device import best_precision, device_name
from scaling_study.errors import InputError
from scaling_study.forecast import forecast_for
from scaling_study.grid import Point, declared_grid, expand
from scaling_study.results import replace_file
from scaling_study.settings import RUN_KEYS
from scaling_study.store import Store
from scaling_study.values import flat_keys

FINISHED = ("ok", "diverged")


@dataclass(frozen=True)
class Planned:
    """One run: its config, the result columns known beforehand, forecast (s) and state."""

    run: RunConfig
    columns: Mapping[str, Any]
    forecast_s: float | None
    state: str


def runs_of(settings: Mapping[str, Any], points: Sequence[Point]) -> list[RunConfig]:
    """One checked run per point, in order; points that lead to the same run count once.

    Raises:
        InputError: a value that a run cannot have; the message names the point.
    """
    runs: dict[str, RunConfig] = {}
    for point in points:
        try:
            run = run_config(_with_point(settings, point))
            run_cost(run)
        except InputError as error:
            where = ", ".join(f"{key}={value}" for key, value in point.items())
            raise InputError(
                f"{error}" + (f" (in the run with {where})" if where else "")
            ) from None
        runs.setdefault(run.run_id, run)
    return list(runs.values())


def planned_runs(
    settings: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[RunConfig]]:
    """The grid in `settings`, checked, and its runs.

    Raises:
        InputError: no grid, or one that cannot be planned.
    """
    grid = declared_grid(settings.get("grid"), overrides)
    known = list(flat_keys({key: settings[key] for key in RUN_KEYS}))
    return grid, runs_of(settings, expand(grid, known))


def _with_point(settings: Mapping[str, Any], point: Point) -> dict[str, Any]:
    values = {key: deepcopy(settings[key]) for key in RUN_KEYS}
    for key, value in point.items():
        group = values
        *path, name = key.split(".")
        for part in path:
            group = group[part]
        group[name] = value
    if values["precision"] == "auto":
        values["precision"] = best_precision(values["device"])
    return values


def plan(runs: Sequence[RunConfig], store: Store, threads: int) -> list[Planned]:
    """State of every run in the store, and its forecast from what the store has measured."""
    forecasts = {}
    measured = store.results() if runs else []
    planned = []
    for run in runs:
        conditions = {
            "device": device_name(run.device),
            "precision": run.precision,
            "threads": threads,
        }
        key = tuple(conditions.values())
        if key not in forecasts:
            forecasts[key] = forecast_for(measured, **conditions)
        columns = describe(run)
        seconds = forecasts[key].run_s(columns, run_cost(run).steps)
        planned.append(Planned(run, columns, seconds, store.state(run.run_id)))
    return planned


def to_do(rows: Sequence[Planned]) -> list[Planned]:
    """The runs that a sweep has to start, longest first so that no slot is left with a long one."""
    missing = [row for row in rows if row.state not in (*FINISHED, "running", "queued")]
    return sorted(missing, key=lambda row: -row.columns["train_flops"])


def write_csv(rows: Sequence[Planned], path: Path) -> None:
    """The plan as a table: the run columns, forecast_s (blank if unmeasured) and state.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    table = [{**row.columns, "forecast_s": row.forecast_s, "state": row.state} for row in rows]
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror})") from None
