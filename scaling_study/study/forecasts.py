"""STUDY/forecasts.csv: the runs that a study has started, and their forecasts at the first launch.

The plan's own forecasts change with every measurement: once a run is done, its forecast is its own
measurement. This file keeps the first forecast that was known when the run was launched.
"""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scaling_study.common.files import replace_csv
from scaling_study.common.reading import text_in

FILE = "forecasts.csv"
COLUMNS = ("forecast_s", "forecast_s_low", "forecast_s_high")


class RunForecast(NamedTuple):
    """A run time, s, with the ends of its 90 % interval where it has one."""

    seconds: float
    low: float | None
    high: float | None


def keep(forecasts: Mapping[str, RunForecast | None], study_dir: Path) -> None:
    """Add runs that are about to start, by id, each with its forecast or None.

    A forecast that an earlier launch has written stays. Text that cannot be read counts as blank.
    """
    rows = _rows(study_dir)
    for run_id, forecast in forecasts.items():
        values = rows.setdefault(run_id, [""] * len(COLUMNS))
        if forecast and not any(values):
            rows[run_id] = ["" if value is None else repr(value) for value in forecast]
    header = ["run_id", *COLUMNS]
    replace_csv(study_dir / FILE, [header, *([run_id, *v] for run_id, v in rows.items())])


def started(study_dir: Path) -> frozenset[str]:
    """The ids of the runs that this study has started, those that have failed included."""
    return frozenset(_rows(study_dir))


def read_forecasts(study_dir: Path) -> dict[str, RunForecast]:
    """Forecasts by run id, without the runs that started when nothing was measured."""
    found = {}
    for run_id, values in _rows(study_dir).items():
        seconds, low, high = map(_seconds, values)
        if seconds is not None:
            ends = (None, None) if low is None or high is None else (low, high)
            found[run_id] = RunForecast(seconds, *ends)
    return found


def _rows(study_dir: Path) -> dict[str, list[str]]:
    """The values of `COLUMNS` by run id; empty where the file is missing or cannot be read."""
    try:
        text = text_in(study_dir / FILE, errors="replace")
        rows = [row for row in csv.DictReader(io.StringIO(text)) if row.get("run_id")]
    except (OSError, ValueError, csv.Error):
        return {}
    return {row["run_id"]: [row.get(name) or "" for name in COLUMNS] for row in rows}


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
