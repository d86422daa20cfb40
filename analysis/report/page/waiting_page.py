"""The page of a study of which nothing can be compared: its runs, and what became of them."""

from pathlib import Path
from typing import Any

from analysis.report.page import content, html, sections
from analysis.report.page.page import write
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.measure import measure_of
from analysis.study.table import Table, finished_runs, without_result
from scaling_study.study.forecasts import read_forecasts
from scaling_study.study.table import Study


def write_waiting_page(study: Study, reason: str, directory: Path, live_s: float | None) -> None:
    """Write DIR/report.html with the planned runs, and why there is nothing else.

    It loads itself anew every `live_s` seconds, as the report does that takes its place; with None
    nobody is training.
    """
    finished = tuple(finished_runs(study))
    unused = tuple(without_result(study))
    table = Table(study.name, finished, (), study.left_out, None, grid=study.grid, unused=unused)
    runs = content.run_values(table, study.path.parent / "runs", read_forecasts(study.path))
    data: dict[str, Any] = {
        **{name: {} for name in ("axes", "published")},
        **{name: [] for name in ("own", "epochs", "px", "cells", "assumed", "fields")},
        "run_axes": content.run_axes(study.grid),
        "opening": {"view": "frontier", "x": "", "panel": "epochs"},
        "outcome": content.outcome_values(measure_of(study.grid)),
        "arms": [*DEPTH_WIDTH],
        "published_shown": False,
        "runs": runs,
        "runs_in": len(finished),
        "live_s": live_s,
    }
    heading = "Nothing to compare" if live_s is None else "Nothing to compare yet"
    write(
        directory / "report.html",
        f"Study {study.name}",
        f"{len(runs)} runs planned, {len(finished)} finished",
        [
            ("waiting", heading, [html.paragraph(reason)]),
            ("left-out", f"Runs without a result ({len(unused)})", sections.left_out(table)),
            ("runs", "Runs", ['<div id="table"></div>']),
        ],
        data,
    )
