"""The analysis of one study's folder: what `python -m analysis` and the dashboard share."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.descriptions.findings import FORMATS, Request
from analysis.figures.files import formats_of, prepare
from analysis.laws.floor import with_floor
from analysis.report.analyse import analyse
from analysis.report.page.waiting_page import write_waiting_page
from analysis.rules.anchor import anchored
from analysis.rules.freeze import (
    exploratory_reasons,
    freeze_plan,
    read_freeze,
    rule_sources,
)
from analysis.rules.looks import look_since_freeze
from analysis.rules.preregistration import freeze, load_rules
from analysis.rules.rule import Preregistration
from analysis.study.errors import NothingToCompareError
from analysis.study.table import SAME, Table, table_of
from scaling_study.common.errors import InputError
from scaling_study.study.table import Study, read_study


def _where(texts: Sequence[str]) -> dict[str, str]:
    where = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--where {text!r}: give COLUMN=VALUE, as in --where device=cpu")
        where[column] = value
    return where


def command(
    results: Path,
    output: Path,
    where: Sequence[str],
    published: bool = False,
    live_s: float | None = None,
    with_halved: bool = False,
    anchor: str | None = None,
    details: bool = False,
    formats: str | None = None,
) -> list[str]:
    """Analyse one study; the lines to print."""
    kinds = formats_of(formats if formats or live_s is None else FORMATS[0])
    if live_s is not None and not live_s >= 1:
        raise InputError(f"--live {live_s:g}: must be a number of seconds, 1 or more")
    study = read_study(results)
    try:
        table = with_floor(table_of(study, _where(where), with_halved))
    except InputError as error:
        if live_s is None and not isinstance(error, NothingToCompareError):
            raise
        prepare(output)
        write_waiting_page(study, str(error), output, live_s)
        if live_s is None:
            raise InputError(f"{error}; {output / 'report.html'} lists every run") from None
        return [f"nothing to compare yet: {error}"]
    rules = marked(_rules(study), study, table, anchor)
    prepare(output)
    return analyse(table, rules, output, Request(published, results, live_s, details, kinds))


def table_and_rules(study_dir: Path) -> tuple[Table, Preregistration]:
    """The table of a study's runs and the rules that it is judged by; raises as `table_of`."""
    study = read_study(study_dir)
    rules = _rules(study)
    table = with_floor(table_of(study, {}))
    return table, marked(rules, study, table)


def _rules(study: Study) -> Preregistration:
    """The frozen rules of a study; one that no sweep has frozen is frozen now."""
    if not (study.path / "prereg.yaml").exists():
        freeze(study.path, study.grid)
        cells = dict(zip(study.runs["run_id"], study.runs["config_id"], strict=True))
        plan = study.plan.items()
        freeze_plan(study.path, {r: row.get("config_id") or cells.get(r, r) for r, row in plan})
    return load_rules(study.path, study.grid)


def marked(
    rules: Preregistration, study: Study, table: Table, anchor: str | None = None
) -> Preregistration:
    """The rules with what makes verdicts exploratory: looks before the end, choices, late freezes.

    Choosing among runs that are not comparable is needed; choosing among cells is exploring.
    """
    frozen, used, analysed = read_freeze(study.path), table.used, table.analysed
    sources = rule_sources(study.path) if (study.path / "prereg.yaml").exists() else {}
    began = {str(row["run_id"]): study.began(row["run_id"], row.get("wall_s")) for row in used}
    reasons = [
        rules.exploratory,
        *exploratory_reasons(frozen, rules.sha256, began, study.plan, analysed, sources),
    ]
    if chosen := [column for column in table.where if column not in SAME]:
        reasons.append(f"cells were chosen by --where {', '.join(chosen)}")
    if table.missing:
        reasons.append(f"{table.missing} planned runs have no result")
    if left := len(study.plan.keys() - set(analysed)) - table.missing:
        reasons.append(f"{left} finished runs were left out")
    cells = {str(row["run_id"]): str(row["config_id"]) for row in used}
    return replace(
        rules,
        look=look_since_freeze(cells, rules.looks, frozen),
        exploratory="; ".join(filter(None, reasons)),
        anchor=anchored(anchor, study.path, began) if anchor is not None else "",
    )
