"""What runs were forecast to take before they started, beside what they took.

`STUDY/forecasts.csv` (run_id, forecast_s and the ends of its 90 % interval) is written by the sweep
when it launches runs. The plan's own forecasts will not do: they are made anew once the runs
themselves have been measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.study.columns import Record
from scaling_study.study.axes import AXES
from scaling_study.study.forecasts import RunForecast


def run_time_records(
    rows: Sequence[Mapping[str, Any]], forecasts: Mapping[str, RunForecast]
) -> list[Record]:
    """Forecast with its interval, and actual seconds, of each finished run that has both."""
    columns = ("run_id", "config_id", *(axis.name for axis in AXES))
    return [
        {name: row[name] for name in columns}
        | {"forecast_s": f.seconds, "forecast_s_low": f.low, "forecast_s_high": f.high}
        | {"wall_s": float(row["wall_s"])}
        for row in rows
        if (f := forecasts.get(row["run_id"])) and row.get("wall_s")
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
    known = [r for r in records if r["forecast_s_low"] is not None]
    held = sum(r["forecast_s_low"] <= r["wall_s"] <= r["forecast_s_high"] for r in known)
    whole, spent = (sum(r[name] for r in records) for name in ("forecast_s", "wall_s"))
    return (
        f"{len(records)} runs were forecast to take {whole / 3600:.3g} h together and took "
        f"{spent / 3600:.3g} h. A single run took {np.median(ratio):.2f} times its forecast in the "
        f"middle, {low:.2f} to {high:.2f} times for nine in ten."
        + (f" {held} of {len(known)} lay in their 90 % interval, the bars." if known else "")
    )
