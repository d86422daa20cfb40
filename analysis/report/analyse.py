"""All that one table of runs gives: verdicts, frontier, figures and the report, written to DIR."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.descriptions.dominance import dominance
from analysis.descriptions.elasticities import elasticities
from analysis.descriptions.findings import Findings, Request
from analysis.descriptions.gaps import gaps
from analysis.descriptions.main_effects import main_effects
from analysis.descriptions.multiverse import multiverse
from analysis.descriptions.multiverse_result import Multiverse
from analysis.descriptions.overfitting import slopes
from analysis.descriptions.variants import step_records
from analysis.figures.all_figures import all_frontiers, figures
from analysis.figures.figure import law_cost
from analysis.figures.files import write_csv, write_json
from analysis.laws.study_fits import study_fits
from analysis.report.answer import answer
from analysis.report.closing_screen import screen
from analysis.report.page.study_page import write_study_page
from analysis.rules.confounders import differences, sides_of, uneven_seeds
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.rule import Preregistration
from analysis.rules.wording import record
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from scaling_study.study.forecasts import read_forecasts

DECLARED = ("sha256", "alpha", "margin", "cost", "base")


def summary(
    table: Table,
    cells: StudyCells,
    prereg: Preregistration,
    judgements: list[Judgement],
    others: Mapping[str, Multiverse],
) -> dict[str, Any]:
    """What verdicts.json holds about a table; `others` are what other analyses of it conclude."""
    records = {name: other.record() for name, other in others.items()}
    question = table.grid.get("question")
    return {
        "study": table.name,
        **({"question": question} if question else {}),
        "where": dict(table.where),
        "runs": len(table.rows),
        "prereg": {name: getattr(prereg, name) for name in DECLARED}
        | {"look": prereg.look_text or None, "anchor": prereg.anchor or None}
        | {"exploratory": prereg.exploratory or None},
        "verdicts": {j.rule.name: record(j, prereg, records.get(j.rule.name)) for j in judgements},
        "gaps": gaps(cells, prereg),
        "dominance": dominance(cells),
        "overfit": slopes(cells, prereg),
        "steps": step_records(cells, table.rows, table.grid),
        "main_effects": main_effects(cells, prereg),
        "elasticities": elasticities(cells, prereg),
        "differences": [
            *differences(table.rows, table.on_purpose, sides_of(cells, prereg)),
            # A plan may give cells other numbers of seeds; here some of what it has is not there.
            *(uneven_seeds(table.rows) if table.missing or table.left_out else ()),
        ],
        "left_out": dict(table.left_out),
    }


def findings(table: Table, prereg: Preregistration, request: Request) -> Findings:
    """Everything that is computed about a table."""
    cells = table.cells(prereg.base, prereg.arms)
    judgements = judge(table, cells, prereg)
    others = multiverse(table, cells, prereg, judgements)
    return Findings(
        table=table,
        prereg=prereg,
        cells=cells,
        judgements=judgements,
        summary=summary(table, cells, prereg, judgements, others),
        frontiers=all_frontiers(cells),
        fits=study_fits(cells, law_cost(cells, prereg)),
        forecasts=read_forecasts(request.study_dir) if request.study_dir else {},
        request=request,
        multiverse=others,
    )


def analyse(table: Table, prereg: Preregistration, directory: Path, request: Request) -> list[str]:
    """Write the files of an analysis, figures and report.html to DIR; lines to print."""
    found = findings(table, prereg, request)
    write_json(directory / "verdicts.json", found.summary)
    write_json(directory / "fits.json", found.fits)
    write_csv(directory / "frontier.csv", [r for rows in found.frontiers.values() for r in rows])
    saved = figures(found, directory)
    write_json(directory / "answer.json", answer(found, saved))
    write_study_page(found, saved, directory)
    return [*screen(found, directory)]
