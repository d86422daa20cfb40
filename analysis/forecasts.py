"""What runs were forecast to take before they started, beside what they took.

`STUDY/forecasts.csv` (run_id, forecast_s) is written by the sweep when it launches runs. The plan's
own forecasts will not do: they are made anew once the runs themselves have been measured.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.records import Record

FILE = "forecasts.csv"


def read_forecasts(study_dir: Path) -> dict[str, float]:
    """Seconds by run id; runs that nothing was known about when they started are not in it."""
    try:
        with (study_dir / FILE).open(newline="", encoding="utf-8") as file:
            found = {
                str(r.get("run_id")): _seconds(r.get("forecast_s")) for r in csv.DictReader(file)
            }
    except (OSError, ValueError, csv.Error):
        return {}
    return {run: s for run, s in found.items() if s is not None}


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def forecast_records(
    rows: Sequence[Mapping[str, Any]], forecasts: Mapping[str, float]
) -> list[Record]:
    """Forecast and actual seconds of each finished run that has both."""
    columns = ("run_id", "config_id", "depth", "width", "resolution", "epochs", "seed")
    return [
        {name: row[name] for name in columns}
        | {"forecast_s": forecasts[row["run_id"]], "wall_s": float(row["wall_s"])}
        for row in rows
        if row["run_id"] in forecasts and row.get("wall_s")
    ]


def summary(records: Sequence[Record]) -> str:
    """How good the forecasts were, in a sentence."""
    if not records:
        return (
            "No run of this study was forecast before it started: nothing had been measured on "
            "its device yet, or the runs were taken over from another study."
        )
    ratio = np.array([r["wall_s"] / r["forecast_s"] for r in records])
    low, high = np.quantile(ratio, [0.05, 0.95])
    whole, spent = (sum(r[name] for r in records) for name in ("forecast_s", "wall_s"))
    return (
        f"{len(records)} runs were forecast to take {whole / 3600:.3g} h together and took "
        f"{spent / 3600:.3g} h. A single run took {np.median(ratio):.2f} times its forecast in the "
        f"middle, {low:.2f} to {high:.2f} times for nine in ten."
    )
