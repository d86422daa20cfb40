"""The analysis of one study's folder: what `python -m analysis` and the dashboard share."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.descriptions.findings import Request
from analysis.figures.files import prepare
from analysis.report.analyse import analyse
from analysis.report.page.waiting_page import write_waiting_page
from analysis.rules.preregistration import freeze, load_rules
from analysis.rules.rule import Preregistration
from analysis.study.errors import NothingToCompareError
from analysis.study.table import SAME, Table, table_of
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_study


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What changes the outcome of an analysis: which runs it uses, what it shows beside them."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="use only runs with this value; may be repeated",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="lay the paper's Table 7 over the frontiers of FLOPs and parameters",
    )
    parser.add_argument(
        "--with-halved",
        action="store_true",
        help="compare runs too whose micro-batch was halved when memory ran out",
    )


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
) -> list[str]:
    """Analyse one study; the lines to print."""
    if live_s is not None and not live_s >= 1:
        raise InputError(f"--live {live_s:g}: must be a number of seconds, 1 or more")
    study = read_study(results)
    try:
        table = table_of(study, _where(where), with_halved)
    except InputError as error:
        if live_s is None and not isinstance(error, NothingToCompareError):
            raise
        prepare(output)
        write_waiting_page(study, str(error), output, live_s)
        if live_s is None:
            raise InputError(f"{error}; {output / 'report.html'} lists every run") from None
        return [f"nothing to compare yet: {error}"]
    prepare(output)
    freeze(results, study.grid)
    rules = _marked(load_rules(results, study.grid), table)
    return analyse(table, rules, output, Request(published, results, live_s))


def _marked(rules: Preregistration, table: Table) -> Preregistration:
    """What makes verdicts exploratory: chosen cells, or a look before all planned runs are there.

    Choosing among runs that are not comparable is needed; choosing among cells is exploring.
    """
    reasons = [rules.exploratory]
    if chosen := [column for column in table.where if column not in SAME]:
        reasons.append(f"cells were chosen by --where {', '.join(chosen)}")
    if table.missing:
        reasons.append(f"{table.missing} planned runs have no result")
    return replace(rules, exploratory="; ".join(filter(None, reasons)))
