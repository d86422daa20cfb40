"""A study's page: from what was found to sections and the data of the interactive figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.descriptions import forecasts
from analysis.descriptions.dominance import shown
from analysis.figures.files import Saved
from analysis.report.findings import Findings
from analysis.report.page import content, html, sections
from analysis.report.page.page import Section, write
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES, COST_NAMES, Record

CELL_COLUMNS = {
    "config_id": "cell",
    "epochs": "epochs",
    "resolution": "px",
    "depth": "depth",
    "width": "width",
    "seeds": "seeds",
    "error_percent": "error (%)",
    "sd_percent": "SD (pp)",
    "gap_percent": "val − train (pp)",
    "flops": "FLOPs",
    "params": "parameters",
    "step_time_s": "step time (s)",
}


def cell_records(cells: Sequence[Cell]) -> list[Record]:
    """A row per cell for the page; percentages, and None for what was not measured."""
    return [
        {
            "config_id": c.config_id,
            "epochs": c.epochs,
            "resolution": c.resolution,
            "depth": c.depth,
            "width": c.width,
            "seeds": c.n,
            "error_percent": 100 * c.error,
            "sd_percent": 100 * c.variance**0.5 if c.n > 1 else None,
            "gap_percent": 100 * (c.error - sum(c.train_errors) / c.n)
            if len(c.train_errors) == c.n
            else None,
            **{axis: c.cost(axis) for axis in COST_NAMES},
        }
        for c in cells
    ]


def data(found: Findings) -> dict[str, Any]:
    """What the interactive part of the page reads."""
    axes = [axis for axis, rows in found.frontiers.items() if rows]
    study_dir = found.request.study_dir
    runs = content.run_values(
        found.table, study_dir.parent / "runs" if study_dir else None, found.forecasts
    )
    return {
        "axes": content.axis_values(axes, ALL_COST_NAMES),
        "cost": found.prereg.cost if found.prereg.cost in axes else axes[0],
        "epochs": sorted({c.epochs for c in found.cells}),
        "px": sorted({c.resolution for c in found.cells}),
        "cells": content.cell_values(found.cells, found.frontiers),
        "frontiers": content.frontier_values(found.cells, axes),
        "curves": content.curve_values(found.cells, axes),
        "assumed": content.assumed_regimes(found.cells),
        "published": content.published_values(axes),
        "published_shown": found.request.published,
        "runs": runs,
        "runs_in": len(runs) - found.table.missing,
        "live_s": found.request.live_s,
    }


def about(found: Findings) -> str:
    """The study in a line."""
    table = found.table
    names = [str(v) for key in ("data", "family", "device") if (v := table.rows[0].get(key))]
    chosen = [f"{column}={value}" for column, value in table.where.items()]
    runs, cells = len(table.rows), len(found.cells)
    counts = f"{runs} run{'s' * (runs != 1)} of {cells} configuration{'s' * (cells != 1)}"
    return " · ".join([counts, *names, *chosen])


def explanation(found: Findings) -> list[Section]:
    """The sections that say what everything above rests on."""
    table, summary = found.table, found.summary
    environment = content.environment(table.rows)
    columns = {"what": "what", "value": "value", "runs": "runs"}
    details = [
        html.folded("Gaps by regime, cost and resolution", sections.gaps(summary["gaps"])),
        html.folded("The arms as frontiers", sections.dominance(shown(summary["dominance"]))),
        html.folded("Fits to cell means", sections.fits(found.fits)),
        html.folded(
            "Over-fitting along the arms",
            sections.overfit(summary["overfit"], found.prereg.cost),
        ),
        html.folded("Configurations", [html.table(cell_records(found.cells), CELL_COLUMNS)]),
    ]
    return [
        ("details", "Numbers behind it", details),
        (
            "differs",
            "What else differs between the runs",
            sections.fairness(summary["differences"]),
        ),
        ("left-out", f"Runs not analysed ({len(table.left_out)})", sections.left_out(table)),
        ("environment", "Environment", [html.table(environment, columns, text=("value",))]),
        ("rules", "Rules", sections.rules(found.prereg)),
    ]


def _steps(found: Findings) -> list[Section]:
    """Row by row, for a study that has variants or cells of equal compute."""
    return [("steps", "Step by step", sections.steps(found.steps))] if found.steps else []


def write_study_page(found: Findings, figures: Sequence[Saved], directory: Path) -> None:
    """Write DIR/report.html, the verdicts first."""
    records = forecasts.forecast_records(found.table.rows, found.forecasts)
    time = [html.paragraph(forecasts.summary(records))]
    time += ['<div id="forecasts" class="plot"></div>'] if records else []
    published = any(content.published_values(list(found.frontiers)).values())
    write(
        directory / "report.html",
        f"Study {found.table.name}",
        about(found),
        [
            ("verdicts", "Verdicts", sections.verdicts(found.judgements, found.prereg)),
            *_steps(found),
            ("explore", "Explore", sections.explorer(found.cells, published)),
            ("runs", "Runs", ['<div id="table"></div>']),
            ("time", "Cost against forecast", time),
            ("figures", "Figures", [html.figure(s) for s in figures]),
            *explanation(found),
        ],
        data(found),
    )
