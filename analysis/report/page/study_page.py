"""A study's page: from what was found to sections and the data of the interactive figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analysis.descriptions import forecasts
from analysis.descriptions.findings import Findings
from analysis.figures.files import Saved
from analysis.report.main_claim import main_claim, main_picture
from analysis.report.page import claims, content, explore, html, sections
from analysis.report.page.glossary import WORDS
from analysis.report.page.page import write
from analysis.report.reading import READING, reading
from analysis.report.section import Report, Section
from analysis.study.cells import Cell
from analysis.study.columns import COST, COST_NAMES, TABLE_AXES, Record
from analysis.study.measure import ERROR, with_unit

COST_HEADS = {"flops": "FLOPs", "params": "parameters", "step_time_s": "step time (s)"}


def cell_columns(cells: Sequence[Cell]) -> dict[str, str]:
    """Columns of the table of cells with their heads."""
    axes = (*TABLE_AXES, *(cells[0].own if cells else ()))
    measure = cells[0].measure if cells else ERROR
    heads = {axis.name: axis.heading for axis in axes} | {"epochs": measure.length}
    name = "error" if measure == ERROR else measure.label
    return {
        "config_id": "cell",
        **heads,
        "seeds": "seeds",
        "error_shown": with_unit(name, measure.unit),
        "sd_shown": with_unit("SD", measure.difference_unit),
        "gap_shown": with_unit("val − train", measure.difference_unit),
        **COST_HEADS,
    }


def cell_records(cells: Sequence[Cell]) -> list[Record]:
    """A row per cell for the page, as it is shown; None for what was not measured."""
    return [
        {
            "config_id": c.config_id,
            **{axis.name: getattr(c, axis.name) for axis in TABLE_AXES},
            **c.own_values,
            "seeds": c.n,
            "error_shown": c.measure.factor * c.error,
            "sd_shown": c.measure.factor * c.variance**0.5 if c.n > 1 else None,
            "gap_shown": c.measure.factor * (c.error - sum(c.train_errors) / c.n)
            if len(c.train_errors) == c.n
            else None,
            **{axis: c.cost(axis) for axis in COST_NAMES},
        }
        for c in cells
    ]


def data(found: Findings) -> dict[str, Any]:
    """What the interactive part of the page reads."""
    axes = [axis for axis, rows in found.frontiers.items() if rows]
    costs = [COST[axis] for axis in axes]
    study_dir = found.request.study_dir
    runs = content.run_values(
        found.table, study_dir.parent / "runs" if study_dir else None, found.forecasts
    )
    cost = found.prereg.cost if found.prereg.cost in axes else axes[0]
    curves, known = (
        content.curve_values(found.cells, axes),
        explore.fields(found.cells, found.table.grid),
    )
    claim = main_claim(found.judgements, found.table.grid)
    return {
        "axes": {c.name: {"name": c.title, "label": c.label, "unit": c.unit} for c in costs},
        "opening": explore.opening(claim, known, axes, curves, cost),
        "fields": known,
        "outcome": content.outcome_values(found.cells.measure),
        "arms": [*found.prereg.arms],
        "own": content.own_values(found.cells, found.table.grid),
        "run_axes": content.run_axes(found.table.grid),
        "epochs": sorted({c.epochs for c in found.cells}),
        "px": sorted({c.resolution for c in found.cells}),
        "cells": content.cell_values(found.cells, found.frontiers),
        "frontiers": content.frontier_values(found.cells, axes),
        "curves": curves,
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


def _environment(report: Report) -> list[str]:
    columns = {"what": "what", "value": "value", "runs": "runs"}
    rows = content.environment(report.found.table.rows)
    return [html.table(rows, columns, text=("value",))]


def _time(report: Report) -> list[str]:
    found = report.found
    records = forecasts.run_time_records(found.table.rows, found.forecasts)
    plot = ['<div id="forecasts" class="plot"></div>'] if records else []
    return [html.paragraph(forecasts.summary(records)), *plot]


def _explorer(report: Report) -> list[str]:
    found = report.found
    published = any(content.published_values(list(found.frontiers)).values())
    return sections.explorer(found.cells, published)


# Tables that are folded away, by their headings.
DETAILS: tuple[tuple[str, Callable[[Findings], Sequence[str]]], ...] = (
    (
        "Gaps by regime, cost and resolution",
        lambda f: sections.gaps(f.summary["gaps"], f.prereg, f.cells.measure),
    ),
    (
        "The arms as frontiers",
        lambda f: sections.dominance(f.summary["dominance"], f.prereg, f.cells.measure),
    ),
    ("Elasticities of the arms", lambda f: sections.elasticities(f.summary["elasticities"])),
    ("Fits to cell means", lambda f: sections.fits(f.fits, f.cells.measure)),
    (
        "Over-fitting along the arms",
        lambda f: sections.overfit(f.summary["overfit"], f.prereg.cost, f.cells.measure),
    ),
    ("Configurations", lambda f: [html.table(cell_records(f.cells), cell_columns(f.cells))]),
)


def _picture(report: Report) -> Saved | None:
    """The figure in which the main claim is seen."""
    drawn = {saved.name: saved for saved in report.figures}
    claim = main_claim(report.found.judgements, report.found.table.grid)
    return drawn.get(main_picture(drawn, claim) or "")


def _answer(report: Report) -> list[str]:
    """The sentence of the main verdict, and its picture."""
    picture = _picture(report)
    said = claims.answer_of(report.found)
    return [*said, html.figure(picture, "main")] if picture else said


def _tested(report: Report) -> bool:
    """Whether the study could test a rule: if not, its page opens with what it varied."""
    return any(j.verdict.value != "not_testable" for j in report.found.judgements)


VARIED = "What the study varied, and what it found"
SECTIONS: tuple[Section, ...] = (
    Section("answer", "", _answer),
    Section(
        "varied",
        VARIED,
        lambda r: sections.varied(r.found),
        applies=lambda r: not _tested(r),
    ),
    Section("verdicts", "Verdicts", lambda r: claims.other_claims_of(r.found)),
    Section("reading", READING, lambda r: sections.prose(reading(r.found))),
    Section("varied", VARIED, lambda r: sections.varied(r.found), applies=_tested),
    Section(
        "steps",
        "Step by step",
        lambda r: sections.steps(r.found.summary["steps"], r.found.cells.measure),
        applies=lambda r: bool(r.found.summary["steps"]),
    ),
    Section("explore", "Explore", _explorer),
    Section("runs", "Runs", lambda _: ['<div id="table"></div>']),
    Section("time", "Cost against forecast", _time),
    Section(
        "figures",
        "Figures",
        lambda r: [html.figure(saved) for saved in r.figures if saved is not _picture(r)],
        lambda r: len(r.figures) > 1,
    ),
    Section(
        "details",
        "Numbers behind it",
        lambda r: [html.folded(heading, parts(r.found)) for heading, parts in DETAILS],
    ),
    Section(
        "differs",
        "What else differs between the runs",
        lambda r: sections.fairness(r.found.summary["differences"]),
    ),
    Section(
        "left-out", "Runs not analysed ({left_out})", lambda r: sections.left_out(r.found.table)
    ),
    Section("environment", "Environment", _environment),
    Section("words", "Ten words", lambda _: [html.definitions(WORDS)]),
    Section("rules", "Rules", lambda r: sections.rules(r.found.prereg, r.found.cells.measure)),
)


def write_study_page(found: Findings, figures: Sequence[Saved], directory: Path) -> None:
    """Write DIR/report.html: the question, its answer and its picture first."""
    report = Report(found, figures)
    name, question = f"Study {found.table.name}", found.table.grid.get("question")
    write(
        directory / "report.html",
        str(question or name),
        f"{name} · {about(found)}" if question else about(found),
        [section.render(report) for section in SECTIONS if section.applies(report)],
        data(found),
    )
