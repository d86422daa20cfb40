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


def keep(rows: Sequence[Planned], study_dir: Path) -> None:
    """Note the forecasts (s) of runs about to start, unless an earlier launch has noted one."""
    path = study_dir / FILE
    known: dict[str, str] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            known = {r["run_id"]: r["forecast_s"] for r in csv.DictReader(file) if "run_id" in r}
    for row in rows:
        if row.forecast_s is not None:
            known.setdefault(row.run.run_id, repr(row.forecast_s))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run_id", "forecast_s"])
    writer.writerows(known.items())
    replace_file(path, text.getvalue())
