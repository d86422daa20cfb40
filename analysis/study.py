"""Everything one table of runs gives: verdicts, frontier, figures and the report, written to DIR."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis import forest, plots, report
from analysis.arms import base_of
from analysis.judge import Judgement, gaps, judge
from analysis.noise import Cell, cells_of
from analysis.output import Saved, save, write_csv, write_json
from analysis.records import Record, arm_records, frontier_records, overfit_records
from analysis.rules import COST_NAMES, Prereg
from analysis.tables import Table
from analysis.words import line, lines, percent, record, winner

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
    """A row per cell for the report; percentages, and None for what was not measured."""
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


def _titles(judgements: Sequence[Judgement]) -> dict[int, str]:
    return {
        j.epochs: f"gap {percent(j.gap)}, {winner(j.gap)}: {j.rule} {j.verdict.value}"
        for j in judgements
        if j.gap is not None and j.epochs is not None
    }


def figures(
    cells: Sequence[Cell],
    prereg: Prereg,
    judgements: Sequence[Judgement],
    described: Sequence[Record],
    directory: Path,
) -> list[Saved]:
    """Draw and save every figure that the measurements allow."""
    base = base_of(cells, prereg.base)
    axis = prereg.cost if any(c.cost(prereg.cost) for c in cells) else "flops"
    saved = []
    with plots.style():
        if rows := arm_records(cells, base, axis):
            title = f"Error of both arms against {COST_NAMES[axis]}, 95 % intervals"
            drawn = plots.arms(rows, _titles(judgements))
            saved.append(save(drawn, rows, directory, f"arms_{axis}", title))
        known = [r for r in described if r["estimate"] is not None and r["resolution"] is None]
        if known:
            title = "Gap between the arms by regime and cost, 95 % intervals"
            saved.append(save(forest.gaps(known, prereg.margin), known, directory, "gaps", title))
        for axis_ in ("flops", "step_time_s"):
            if rows := frontier_records(cells, base, axis_):
                title = f"Pareto frontier of error and {COST_NAMES[axis_]}"
                drawn = plots.frontier(rows)
                saved.append(save(drawn, rows, directory, f"frontier_{axis_}", title))
        if rows := overfit_records(cells, base, axis):
            title = "Over-fitting: validation minus clean training error, 95 % intervals"
            drawn = plots.overfit(rows)
            saved.append(save(drawn, rows, directory, "train_validation_gap", title))
    return saved


def verdict_sections(judgements: Sequence[Judgement], prereg: Prereg) -> list[str]:
    """The verdicts in words, as HTML."""
    parts = []
    for j in judgements:
        notes = list(j.notes)
        notes += [
            f"{s.name}: {s.verdict.value}, "
            + (percent(s.gap) if s.gap is not None else s.verdict.reason)
            for s in j.sensitivities
        ]
        parts.append(report.verdict(j.verdict.value, j.rule, j.claim, line(j, prereg), notes))
    if prereg.exploratory:
        parts.append(report.paragraph(f"Exploratory: {prereg.exploratory}. The frozen ones apply."))
    return parts


def _rules_text(prereg: Prereg) -> str:
    return (
        f"Level {prereg.alpha:g}, margin {100 * prereg.margin:g} % relative error, equal "
        f"{COST_NAMES[prereg.cost]}, base {prereg.base}. SHA-256 of the frozen rules: "
        f"{prereg.sha256}. FLOPs are 2 × multiply-adds. A positive gap means that depth has less "
        "error than width at equal cost. Evaluation images are the same in all runs: the intervals "
        "are about other seeds, not about other images."
    )


def left_out_section(table: Table) -> list[str]:
    """The runs that are not analysed, each with its reason."""
    if not table.left_out:
        return [report.paragraph("None.")]
    rows = [{"run": run, "reason": reason} for run, reason in table.left_out.items()]
    return [report.table(rows, {"run": "run", "reason": "reason"})]


def summary(table: Table, prereg: Prereg, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """What verdicts.json holds about a table."""
    return {
        "study": table.name,
        "runs": len(table.rows),
        "prereg": {
            "sha256": prereg.sha256,
            "alpha": prereg.alpha,
            "margin": prereg.margin,
            "cost": prereg.cost,
            "base": prereg.base,
            "exploratory": prereg.exploratory or None,
        },
        "verdicts": {j.rule: record(j, prereg) for j in judgements},
        "gaps": gaps(table, prereg),
        "left_out": dict(table.left_out),
    }


def analyse(table: Table, prereg: Prereg, directory: Path) -> list[str]:
    """Write verdicts.json, frontier.csv, figures and report.html to DIR; the lines to print."""
    directory.mkdir(parents=True, exist_ok=True)
    cells = cells_of(table.rows)
    judgements = judge(table, prereg)
    content = summary(table, prereg, judgements)
    base = base_of(cells, prereg.base)
    frontiers = [r for axis in COST_NAMES for r in frontier_records(cells, base, axis)]
    write_csv(directory / "frontier.csv", frontiers)
    saved = figures(cells, prereg, judgements, content["gaps"], directory)
    write_json(directory / "verdicts.json", content)
    sections = [
        ("Verdicts", verdict_sections(judgements, prereg)),
        ("Figures", [report.figure(s) for s in saved]),
        ("Cells", [report.table(cell_records(cells), CELL_COLUMNS)]),
        (f"Runs left out ({len(table.left_out)})", left_out_section(table)),
        ("Rules", [report.paragraph(_rules_text(prereg))]),
    ]
    report.write(directory / "report.html", f"Study {table.name}", sections)
    return [
        *(f"left out: {run}: {reason}" for run, reason in table.left_out.items()),
        f"{len(table.rows)} runs in {len(cells)} cells; figures and report.html in {directory}",
        *lines(judgements, prereg),
    ]
