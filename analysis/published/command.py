"""What `python -m analysis.published` does: the paper's claims on its own printed numbers.

Bello et al. 2021 (arXiv 2103.07579): Figure 3, digitised, for depth against width, and Table 7
for speed against EfficientNet. The tables ship in `analysis/paper`, each row with its source.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.descriptions.findings import Findings, Request
from analysis.figures.all_figures import all_frontiers, figures
from analysis.figures.drawing import forest
from analysis.figures.drawing.style import style
from analysis.figures.files import Saved, formats_of, prepare, save, write_csv, write_json
from analysis.published.judgements import about_arms, judged, paper_rules, speedups
from analysis.published.laws import (
    base_records,
    law_records,
    save_law_figures,
    validations,
)
from analysis.published.tables import depth_width_table, figure_2
from analysis.report.analyse import summary
from analysis.report.page import claims, html, sections
from analysis.report.page.page import write
from analysis.report.page.study_page import cell_columns, cell_records, data
from analysis.rules.rule import Preregistration
from analysis.rules.wording import line, lines, record
from analysis.stats.decision import value_of
from analysis.stats.speedup import Speedup
from analysis.study.cells import Cell
from analysis.study.columns import COST_NAMES, Record
from analysis.study.measure import ERROR


def speedup_records(results: Mapping[str, Speedup]) -> list[Record]:
    """A record per EfficientNet model and one for the mean, by hardware; None is outside."""
    records: list[Record] = []
    for hardware, s in results.items():
        bands = zip(s.names, s.ratio, s.ratio_low, s.ratio_high, strict=True)
        for model, *values in [*bands, ("mean", s.mean, s.mean_low, s.mean_high)]:
            numbers = [None if np.isnan(v) else float(v) for v in values]
            record = dict(zip(("estimate", "low", "high"), numbers, strict=True))
            records.append({"hardware": hardware, "model": model, **record})
    return records


def _speedup_line(hardware: str, s: Speedup) -> str:
    low, high = np.nanmin(s.ratio), np.nanmax(s.ratio)
    return (
        f"R5 {hardware}: ResNet-RS {low:.1f}-{high:.1f}x faster than EfficientNet at equal "
        f"accuracy; mean {s.mean:.2f}x [{s.mean_low:.2f}, {s.mean_high:.2f}]; outside the "
        f"overlap: {', '.join(s.outside)}"
    )


def _speedup_json(s: Speedup) -> dict[str, Any]:
    return {
        "mean": s.mean,
        "mean_pchip": s.smooth_mean,
        "ci_low": s.mean_low,
        "ci_high": s.mean_high,
        "range": [float(np.nanmin(s.ratio)), float(np.nanmax(s.ratio))],
        "verdict": value_of(s.mean_low, s.mean_high, 1.0)[0],
        "faster_than_every_model": bool(np.nanmin(s.ratio) > 1),
        "share_of_range": s.share,
        "outside": list(s.outside),
    }


READING = (
    "Rule 1 holds at equal step time. At equal FLOPs its short half is not decided, and at equal "
    "parameters it is refuted: which cost is meant is part of the claim.",
    "Rule 2 holds as diminishing returns beyond 320 px. As an exponent it is not established: the "
    "cheapest path through Figure 2 raises resolution about as fast as compound scaling does.",
    "Error departs from a power law of FLOPs, but a kink and a floor fit it alike: that it breaks "
    "is one reading of it.",
)


def _numbers(
    content: Mapping[str, Any], cells: Sequence[Cell], rules: Preregistration
) -> list[str]:
    """Everything in tables, folded away."""
    laws = content["laws"].items()
    gaps = sections.gaps(content["gaps"], rules, ERROR)
    checks = [html.paragraph(text) for text in content["validation"]]
    return [
        html.folded("Gaps by regime, cost and resolution", gaps),
        *(html.folded(name, [html.table(rows, {k: k for k in rows[0]})]) for name, rows in laws),
        html.folded("How the fits predict what they have not seen", checks),
        html.folded("Cells", [html.table(cell_records(cells), cell_columns(cells))]),
    ]


def _save_speedups(fast: Mapping[str, Speedup], directory: Path, formats: Sequence[str]) -> Saved:
    speeds, title = speedup_records(fast), "Speed at equal accuracy (Table 7), 95 % intervals"
    with style():
        return save(forest.speedups(speeds), speeds, directory, "speedups", title, formats)


def command(directory: Path, formats: str | None = None) -> list[str]:
    """Judge the paper's numbers and write everything to DIR; the lines to print."""
    request = Request(formats=formats_of(formats))
    prepare(directory)
    table, rules, fast = depth_width_table(), paper_rules(), speedups()
    cells, points = table.cells(rules.base, rules.arms), figure_2()
    main_verdicts = judged(table, rules, fast=fast)
    others = {cost: about_arms(table, rules, cost) for cost in COST_NAMES if cost != rules.cost}
    by_cost = {cost: others.get(cost, main_verdicts) for cost in COST_NAMES}
    content = summary(table, cells, rules, main_verdicts, {})
    content["by_cost"] = {
        cost: {j.rule.name: record(j, rules) for j in judgements}
        for cost, judgements in by_cost.items()
    }
    content["speedups"] = {hardware: _speedup_json(s) for hardware, s in fast.items()}
    bases = {"Depth against width from every base of Figure 2, at equal FLOPs": base_records(rules)}
    content["laws"], content["validation"] = law_records(points) | bases, validations(points)
    write_json(directory / "verdicts.json", content)
    frontiers = all_frontiers(cells)
    write_csv(directory / "frontier.csv", [r for rows in frontiers.values() for r in rows])
    found = Findings(table, rules, cells, main_verdicts, content, frontiers, (), {}, request)
    saved = figures(found, directory)
    if request.formats:
        saved += save_law_figures(points, directory, request.formats)
        saved.append(_save_speedups(fast, directory, request.formats))
    speed_lines = [_speedup_line(hardware, s) for hardware, s in fast.items()]
    write(
        directory / "report.html",
        "The paper's claims on the paper's numbers",
        "Bello et al. 2021 (arXiv 2103.07579), as printed and digitised; nothing was trained",
        [
            ("reading", "Our reading beside the paper's", [html.paragraph(t) for t in READING]),
            ("verdicts", "Verdicts (Figures 2 and 3)", claims.all_claims(main_verdicts, rules)),
            ("speed", "Speed (Table 7)", [html.paragraph(text) for text in speed_lines]),
            ("explore", "Explore Figure 3", sections.explorer(cells, published=True)),
            ("runs", "Runs of Figure 3", ['<div id="table"></div>']),
            ("figures", "Figures", [html.figure(s) for s in saved]),
            ("numbers", "Numbers behind it", _numbers(content, cells, rules)),
            ("left-out", f"Cells left out ({len(table.left_out)})", sections.left_out(table)),
            ("rules", "Rules", sections.rules(rules, ERROR)),
        ],
        data(found),
    )
    return [
        *(f"left out: {cell}: {reason}" for cell, reason in table.left_out.items()),
        f"figures and report.html in {directory}",
        "at other costs:",
        *(f"  {line(j, rules)}" for js in others.values() for j in js),
        *speed_lines,
        *lines(main_verdicts, rules),
    ]
