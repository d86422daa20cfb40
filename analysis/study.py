"""All that one table of runs gives: verdicts, frontier, figures and the report, written to DIR."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis import report
from analysis.dominance import dominance, shown
from analysis.fairness import differences
from analysis.figures import all_frontiers, figures
from analysis.gaps import gaps
from analysis.judge import Judgement, judge
from analysis.noise import Cell, cells_of
from analysis.output import write_csv, write_json
from analysis.overfit import slopes
from analysis.records import Record
from analysis.rules import ALL_COST_NAMES, COST_NAMES, Prereg
from analysis.scaling.study_fits import study_fits
from analysis.tables import Table
from analysis.words import line, lines, percent, record

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


def verdict_sections(judgements: Sequence[Judgement], prereg: Prereg) -> list[str]:
    """The verdicts in words, as HTML."""
    parts = []
    for j in judgements:
        notes = list(j.notes)
        notes += [
            f"{s.name}: {s.verdict.value}, "
            + (
                percent(s.gap.estimate, s.gap.low, s.gap.high)
                if s.gap is not None
                else s.verdict.reason
            )
            for s in j.sensitivities
        ]
        parts.append(
            report.verdict(j.verdict.value, j.rule.name, j.rule.claim, line(j, prereg), notes)
        )
    if prereg.exploratory:
        parts.append(report.paragraph(f"Exploratory, because {prereg.exploratory}."))
    return parts


def rules_section(prereg: Prereg) -> list[str]:
    """What the verdicts were judged by, with the hash of the file that declares it, as HTML."""
    text = (
        f"Level {prereg.alpha:g}, margin {100 * prereg.margin:g} % relative error, equal "
        f"{ALL_COST_NAMES[prereg.cost]}, base {prereg.base}. SHA-256 of the frozen rules: "
        f"{prereg.sha256}. FLOPs are 2 × multiply-adds. A positive gap means that depth has less "
        "error than width at equal cost. Evaluation images are the same in all runs: the intervals "
        "are about other seeds, not about other images."
    )
    return [report.paragraph(text)]


def gap_section(described: Sequence[Record]) -> list[str]:
    """The gap at every regime, cost and resolution in percent, as HTML."""
    rows = [
        {
            "epochs": r["epochs"],
            "cost": COST_NAMES[r["cost"]],
            "resolution": r["resolution"] or "mean",
            "gap": r["reason"] or percent(r["estimate"], r["low"], r["high"]),
        }
        for r in described
    ]
    columns = {"epochs": "epochs", "cost": "at equal", "resolution": "px", "gap": "gap"}
    text = "Positive: depth has less error at equal cost. A description, no test."
    return [report.paragraph(text), report.table(rows, columns)]


def overfit_section(slopes: Sequence[Record], cost: str) -> list[str]:
    """How the gap between validation and training error grows along each arm, as HTML."""
    rows = [
        {**r, "slope": f"{100 * r['slope']:+.1f} pp [{100 * r['low']:.1f}, {100 * r['high']:.1f}]"}
        for r in slopes
    ]
    columns = {"epochs": "epochs", "setting": "setting", "arm": "arm", "slope": "slope"}
    text = (
        f"Gain of validation minus clean training error per unit of ln({ALL_COST_NAMES[cost]}), "
        "95 % intervals. It describes a mechanism and proves none."
    )
    return [report.paragraph(text), report.table(rows, columns)] if rows else []


def fairness_section(found: Sequence[str]) -> list[str]:
    """What differs between the runs that are compared, as HTML."""
    return [report.paragraph(text) for text in found or ("Nothing but the compared axes.",)]


def dominance_section(records: Sequence[Record]) -> list[str]:
    """How the arms' frontiers compare as wholes, as HTML."""
    columns = {
        "epochs": "epochs",
        "cost": "at equal",
        "setting": "setting",
        "depth_share": "depth's share",
        "width_share": "width's share",
        "depth_cost_factor": "depth pays",
        "width_cost_factor": "width pays",
        "seed_deviation": "moved by seeds",
    }
    text = (
        "Share of the hypervolume of both arms together; the most that one arm pays, as a factor "
        "on cost, to err no more than the other (– if it cannot); how far single seeds' frontiers "
        "lie from the typical one, as a share of the hypervolume."
    )
    return [report.paragraph(text), report.table(shown(records), columns)] if records else []


def fit_section(fits: Sequence[Record]) -> list[str]:
    """Every fit with what validates it, as HTML."""
    parts = []
    for r in fits:
        regime = f", {r['epochs']} epochs" if r["epochs"] else ""
        text = r.get("reason") or "; ".join(r["description"])
        parts.append(
            report.paragraph(f"{r['form']} over {ALL_COST_NAMES[r['cost']]}{regime}: {text}")
        )
    return parts


def left_out_section(table: Table) -> list[str]:
    """The runs that are not analysed, each with its reason."""
    if not table.left_out:
        return [report.paragraph("None.")]
    rows = [{"run": run, "reason": reason} for run, reason in table.left_out.items()]
    return [report.table(rows, {"run": "run", "reason": "reason"})]


def summary(table: Table, prereg: Prereg, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """What verdicts.json holds about a table."""
    cells = cells_of(table.rows)
    return {
        "study": table.name,
        "where": dict(table.where),
        "runs": len(table.rows),
        "prereg": {
            "sha256": prereg.sha256,
            "alpha": prereg.alpha,
            "margin": prereg.margin,
            "cost": prereg.cost,
            "base": prereg.base,
            "exploratory": prereg.exploratory or None,
        },
        "verdicts": {j.rule.name: record(j, prereg) for j in judgements},
        "gaps": gaps(table, prereg),
        "dominance": dominance(cells, prereg),
        "overfit": slopes(cells, prereg),
        "differences": differences(table.rows, table.on_purpose),
        "left_out": dict(table.left_out),
    }


def analyse(table: Table, prereg: Prereg, directory: Path, published: bool = False) -> list[str]:
    """Write verdicts.json, fits.json, frontier.csv, figures and report.html; lines to print."""
    cells = cells_of(table.rows)
    judgements = judge(table, prereg)
    content = summary(table, prereg, judgements)
    frontiers = all_frontiers(cells, prereg)
    write_csv(directory / "frontier.csv", [r for rows in frontiers.values() for r in rows])
    saved = figures(cells, prereg, judgements, content["gaps"], frontiers, directory, published)
    write_json(directory / "verdicts.json", content)
    fits = study_fits(cells, "flops")
    write_json(directory / "fits.json", fits)
    sections = [
        ("Verdicts", verdict_sections(judgements, prereg)),
        ("Figures", [report.figure(s) for s in saved]),
        ("Gaps by regime, cost and resolution", gap_section(content["gaps"])),
        ("The arms as frontiers", dominance_section(content["dominance"])),
        ("Fits to cell means", fit_section(fits)),
        ("Over-fitting along the arms", overfit_section(content["overfit"], prereg.cost)),
        ("What else differs between the runs", fairness_section(content["differences"])),
        ("Cells", [report.table(cell_records(cells), CELL_COLUMNS)]),
        (f"Runs left out ({len(table.left_out)})", left_out_section(table)),
        ("Rules", rules_section(prereg)),
    ]
    report.write(directory / "report.html", f"Study {table.name}", sections)
    chosen = "".join(f" with {column}={value}" for column, value in table.where.items())
    return [
        *(f"left out: {run}: {reason}" for run, reason in table.left_out.items()),
        f"{len(table.rows)} runs{chosen} in {len(cells)} cells",
        f"figures and report.html in {directory}",
        *(f"differs: {text}" for text in content["differences"]),
        *lines(judgements, prereg),
    ]
