"""What runs were forecast to take when they were launched, kept for the comparison afterwards.

A plan's forecasts are made anew whenever it is written, from what was measured until then: once a
run is done its forecast is its own measurement. STUDY/forecasts.csv keeps what was said before.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from scaling_study.plan import Planned
from scaling_study.results import replace_file

FILE = "forecasts.csv"
COLUMNS = ("forecast_s", "forecast_s_low", "forecast_s_high")


def keep(rows: Sequence[Planned], study_dir: Path) -> None:
    """Note the forecasts (s) of runs about to start, unless an earlier launch has noted one.

    Each with its 90 % interval. What is not text in the file counts as nothing noted.
    """
    path = study_dir / FILE
    known: dict[str, list[str]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            known = {
                r["run_id"]: [r.get(name) or "" for name in COLUMNS]
                for r in csv.DictReader(file)
                if r.get("run_id")
            }
    for row in rows:
        if row.time is not None:
            values = (row.time.value, row.time.low, row.time.high)
            known.setdefault(row.run.run_id, [repr(value) for value in values])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run_id", *COLUMNS])
    writer.writerows([run_id, *values] for run_id, values in known.items())
    replace_file(path, text.getvalue())
