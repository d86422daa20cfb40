"""Two studies beside each other as text: effects with intervals, cells, cost."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten, wrap

from analysis.figures.records import half_width
from analysis.report.command import marked
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.study.cells import Cell
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table, table_of, task_in
from scaling_study.common.errors import InputError
from scaling_study.common.format import cut, duration, engineering
from scaling_study.study.table import read_study

WIDTH, LABEL, COLUMN = 80, 20, 29
NOTHING = "–"
INDEPENDENT = (
    "An effect's interval is about its own study: two that overlap may differ all the same."
)


@dataclass(frozen=True)
class Side:
    """One of the two studies, analysed by its own rules.

    `train_flops` and `wall_s` are those of all its finished runs together.
    """

    table: Table
    rules: Preregistration
    cells: StudyCells
    judgements: Mapping[str, Judgement]
    train_flops: float
    wall_s: float
    missing: int


def side(study_dir: Path) -> Side:
    """Analyse a study without writing anything; an InputError if it has nothing to compare."""
    study = read_study(study_dir)
    try:
        table = table_of(study, {})
    except InputError as error:
        raise InputError(f"{study_dir}: {error}") from None
    rules = marked(load_rules(study.path, study.grid), study, table)
    cells = StudyCells.of(table.rows, rules.base)
    return Side(
        table,
        rules,
        cells,
        {j.rule.name: j for j in judge(table, cells, rules)},
        float(study.runs["train_flops"].sum()),
        float(study.runs["wall_s"].sum()),
        table.missing,
    )


def lines(first: Side, second: Side) -> list[str]:
    """The comparison, `WIDTH` columns wide."""
    sides = (first, second)
    names = [s.table.name for s in sides]
    if names[0] == names[1]:
        names = [f"{name} ({which})" for name, which in zip(names, ("A", "B"), strict=True)]
    return [
        _row("", names),
        *(_row(label, map(text, sides)) for label, text in FACTS.items()),
        "",
        *_effects(*sides),
        "",
        *_cells(*sides, *names),
    ]


def _fact(column: str) -> Callable[[Side], str]:
    return lambda side: str(side.table.rows[0].get(column) or NOTHING)


FACTS: dict[str, Callable[[Side], str]] = {
    "data": _fact("data"),
    "recipe": _fact("recipe"),
    "device": _fact("device"),
    "runs in cells": lambda s: f"{len(s.table.rows)} in {len(s.cells)}",
    "without a result": lambda s: str(s.missing),
    "training FLOPs": lambda s: engineering(s.train_flops),
    "run time": lambda s: duration(s.wall_s),
    "verdicts": lambda s: "exploratory" if s.rules.exploratory else "confirmatory",
}


def _row(label: str, values: Iterable[str]) -> str:
    cells = (f"{cut(value, COLUMN):<{COLUMN}}" for value in values)
    return f"{cut(label, LABEL):<{LABEL}} {' '.join(cells)}".rstrip()


def _effects(first: Side, second: Side) -> Iterator[str]:
    """The effect and the verdict of every rule that one of the studies could test."""
    yield "effects with their intervals, as in the verdicts of `report`"
    for name in dict.fromkeys((*first.judgements, *second.judgements)):
        both = [s.judgements.get(name) for s in (first, second)]
        if all(j is None or j.verdict.value == "not_testable" for j in both):
            continue
        other = _declared(both[0]) != _declared(both[1]) and None not in both
        yield _row(f"{name}{' *' if other else ''}", map(_effect, both))
        yield _row("", map(_verdict, both))
        if other:
            yield "  * declared in another way: margin, cost, regime or sides differ"
    yield from wrap(INDEPENDENT, WIDTH)
    shared = {r["run_id"] for r in first.table.rows} & {r["run_id"] for r in second.table.rows}
    if shared:
        yield f"{len(shared)} runs are in both studies, so they do not confirm each other."


def _declared(j: Judgement | None) -> tuple[object, ...]:
    if j is None:
        return ()
    rule = j.rule
    return rule.kind, rule.arms, rule.sign, rule.regime, rule.cost, rule.margin, str(rule.options)


def _effect(j: Judgement | None) -> str:
    """The effect with its interval, without what the line of a verdict says in brackets."""
    if j is None or j.gap is None:
        return NOTHING
    return find_kind(j.rule.kind).line(j, j.gap).partition(" (")[0]


def _verdict(j: Judgement | None) -> str:
    return NOTHING if j is None else j.verdict.value.replace("_", " ")


def _cells(first: Side, second: Side, *names: str) -> Iterator[str]:
    """The outcome of each cell that both have, and how many each has alone."""
    yield "mean of each cell, ± half of its 95 % interval over seeds (number of seeds)"
    known = [{(c.name, c.variant or ""): c for c in s.cells} for s in (first, second)]
    for key in known[0]:
        if key in known[1]:
            means = (_mean(s, cells[key]) for s, cells in zip((first, second), known, strict=True))
            yield _row(" ".join(filter(None, key)), means)
    for name, own, other in zip(names, known, reversed(known), strict=True):
        if alone := [" ".join(filter(None, key)) for key in own if key not in other]:
            text = f"only in {name}, {len(alone)} cells: {', '.join(alone)}"
            yield from wrap(shorten(text, 3 * WIDTH, placeholder=" …"), WIDTH)


def _mean(side: Side, cell: Cell) -> str:
    percent = task_in(side.table.grid).unit == "fraction"
    factor, unit = (100, " %") if percent else (1, "")
    half = half_width(cell, side.cells.noise(cell.epochs))
    known = "" if half is None else f" ± {factor * half:.2g}"
    return f"{factor * cell.error:.4g}{known}{unit} ({cell.n})"
