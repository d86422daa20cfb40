"""What runs a study has started, and what they were forecast to take when they were launched.

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
    """Note runs about to start and their forecasts (s), unless an earlier launch has noted one.

    Each with its 90 % interval; blank where nothing is measured. What is not text in the file
    counts as nothing noted.
    """
    known = _noted(study_dir)
    for row in rows:
        time, run_id = row.time, row.run.run_id
        values = (time.value, time.low, time.high) if time else (None,) * len(COLUMNS)
        if not any(known.get(run_id, ())):
            known[run_id] = ["" if v is None else repr(v) for v in values]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run_id", *COLUMNS])
    writer.writerows([run_id, *values] for run_id, values in known.items())
    replace_file(study_dir / FILE, text.getvalue())


def started(study_dir: Path) -> frozenset[str]:
    """The ids of the runs that this study has started, those that have failed included."""
    return frozenset(_noted(study_dir))


def _noted(study_dir: Path) -> dict[str, list[str]]:
    """The columns of each run that has been noted; none where there is no file yet."""
    path = study_dir / FILE
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [row for row in csv.DictReader(file) if row.get("run_id")]
    return {row["run_id"]: [row.get(name) or "" for name in COLUMNS] for row in rows}
