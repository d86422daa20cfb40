"""Studies beside each other as text: effects with intervals, cells, cost."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten, wrap

from analysis.figures.records import half_width
from analysis.laws.floor import with_floor
from analysis.report.command import marked
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.study.cells import Cell
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table, table_of
from scaling_study.common.errors import InputError
from scaling_study.common.format import cut, duration, engineering
from scaling_study.study.table import read_study

WIDTH, LABEL = 80, 20
# With more an effect and its interval fit no column.
MOST = 3
NOTHING = "–"
INDEPENDENT = (
    "An effect's interval is about its own study: two that overlap may differ all the same."
)


@dataclass(frozen=True)
class Side:
    """One of the studies, analysed by its own rules.

    `train_flops` and `wall_s` are those of all its finished runs together.
    """

    table: Table
    rules: Preregistration
    cells: StudyCells
    judgements: Mapping[str, Judgement]
    train_flops: float
    wall_s: float
    missing: int


def side(study_dir: Path, cost: str | None = None) -> Side:
    """Analyse a study without writing anything, at `cost` if it is given, else at its rules' own.

    Raises an InputError if it has nothing to compare.
    """
    study = read_study(study_dir)
    try:
        table = with_floor(table_of(study, {}))
    except InputError as error:
        raise InputError(f"{study_dir}: {error}") from None
    rules = marked(load_rules(study.path, study.grid), study, table)
    cells = table.cells(rules.base, rules.arms)
    return Side(
        table,
        rules,
        cells,
        {j.rule.name: j for j in judge(table, cells, rules, cost)},
        float(study.runs["train_flops"].sum() - study.runs["shared_flops"].sum()),
        float(study.runs["wall_s"].sum()),
        table.missing,
    )


def lines(sides: Sequence[Side]) -> list[str]:
    """The comparison of two to `MOST` studies, `WIDTH` columns wide."""
    names = [s.table.name for s in sides]
    if len(set(names)) < len(names):
        names = [f"{name} ({which})" for name, which in zip(names, "ABC", strict=False)]
    return [
        _row("", names),
        *(_row(label, map(text, sides)) for label, text in FACTS.items()),
        "",
        *_effects(sides),
        "",
        *_cells(sides, names),
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
    texts = [*values]
    column = (WIDTH - LABEL) // len(texts) - 1
    cells = (f"{cut(text, column):<{column}}" for text in texts)
    return f"{cut(label, LABEL):<{LABEL}} {' '.join(cells)}".rstrip()


def _effects(sides: Sequence[Side]) -> Iterator[str]:
    """The effect and the verdict of every rule that one of the studies could test."""
    yield "effects with their intervals, as in the verdicts of `report`"
    for name in dict.fromkeys(name for s in sides for name in s.judgements):
        found = [s.judgements.get(name) for s in sides]
        if all(j is None or j.verdict.value == "not_testable" for j in found):
            continue
        other = len({_declared(j) for j in found if j is not None}) > 1
        yield _row(f"{name}{' *' if other else ''}", map(_effect, found))
        yield _row("", map(_verdict, found))
        if other:
            yield "  * declared in another way: margin, cost, regime or sides differ"
    yield from wrap(INDEPENDENT, WIDTH)
    times = Counter(row["run_id"] for s in sides for row in s.table.rows)
    if shared := sum(n > 1 for n in times.values()):
        which = "both studies" if len(sides) == 2 else "more than one study"
        yield f"{shared} runs are in {which}, so they do not confirm each other."


def _declared(j: Judgement) -> tuple[object, ...]:
    rule = j.rule
    return rule.kind, rule.arms, rule.sign, rule.regime, rule.cost, rule.margin, str(rule.options)


def _effect(j: Judgement | None) -> str:
    """The effect with its interval, without what the line of a verdict says in brackets."""
    if j is None or j.gap is None:
        return NOTHING
    return find_kind(j.rule.kind).line(j, j.gap).partition(" (")[0]


def _verdict(j: Judgement | None) -> str:
    return NOTHING if j is None else j.verdict.value.replace("_", " ")


def _cells(sides: Sequence[Side], names: Sequence[str]) -> Iterator[str]:
    """The outcome of each cell that all have, and how many others each has."""
    yield "mean of each cell, ± half of its 95 % interval over seeds (number of seeds)"
    known = [{(c.name, c.variant or ""): c for c in s.cells} for s in sides]
    shared = [key for key in known[0] if all(key in cells for cells in known)]
    for key in shared:
        means = (_mean(s, cells[key]) for s, cells in zip(sides, known, strict=True))
        yield _row(" ".join(filter(None, key)), means)
    for name, own in zip(names, known, strict=True):
        if rest := [" ".join(filter(None, key)) for key in own if key not in shared]:
            alone = "only in" if len(sides) == 2 else "not in all, but in"
            text = f"{alone} {name}, {len(rest)} cells: {', '.join(rest)}"
            yield from wrap(shorten(text, 3 * WIDTH, placeholder=" …"), WIDTH)


def _mean(side: Side, cell: Cell) -> str:
    measure = cell.measure
    factor, unit = measure.factor, f" {measure.unit}".rstrip()
    half = half_width(cell, side.cells.noise(cell.epochs))
    known = "" if half is None else f" ± {factor * half:.2g}"
    return f"{factor * cell.error:.4g}{known}{unit} ({cell.n})"
