"""The page of a running sweep that has nothing to compare yet."""

from pathlib import Path

from analysis.reporting import content, html
from analysis.reporting.page import write
from analysis.tables import Table, clean
from scaling_study.results import Study


def write_waiting_page(study: Study, reason: str, directory: Path, live_s: float) -> None:
    """Write DIR/report.html with the planned runs, and why there is nothing else yet.

    It loads itself anew every `live_s` seconds, as the report does that takes its place.
    """
    rows = study.runs.to_dict("records")
    finished = tuple(clean({str(k): v for k, v in row.items()}) for row in rows)
    planned = Table(study.name, (), finished, study.left_out, None)
    runs = content.run_values(planned, study.path.parent / "runs", {})
    data = {
        **{name: {} for name in ("axes", "published")},
        **{name: [] for name in ("epochs", "px", "cells")},
        "cost": "",
        "published_shown": False,
        "runs": runs,
        "runs_in": len(finished),
        "live_s": live_s,
    }
    write(
        directory / "report.html",
        f"Study {study.name}",
        f"{len(runs)} runs planned",
        [
            ("waiting", "Nothing to compare yet", [html.paragraph(reason)]),
            ("runs", "Runs", ['<div id="table"></div>']),
        ],
        data,
    )
