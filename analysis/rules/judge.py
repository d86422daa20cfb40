"""Apply the declared rules to a table: every verdict with its interval and its sensitivities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.kind import Judgement, Sensitivity
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.decision import Verdict, holm
from analysis.study.arms import base_of
from analysis.study.cells import Cell, cells_of
from analysis.study.errors import PreconditionError
from analysis.study.table import Table


def judge(table: Table, prereg: Preregistration, cost: str | None = None) -> list[Judgement]:
    """Every declared rule, at `cost` if it is given, else at its declared one.

    Headline rules are a family: a decision stays only if Holm's correction over those that could
    be tested leaves it (Holm 1979).
    """
    rules = [replace(rule, cost=cost) if cost else rule for rule in prereg.rules]
    parts = {rule.name: find_kind(rule.kind).parts(rule) for rule in rules}
    found = {r.name: judge_rule(table, prereg, r) for r in rules if not parts[r.name]}
    for rule in rules:
        if names := parts[rule.name]:
            verdicts = {name: found[name].verdict for name in names}
            verdict = find_kind(rule.kind).combined(rule, verdicts, prereg.alpha)
            found[rule.name] = Judgement(rule, verdict)
    family = {name: j.verdict for name, j in found.items() if j.rule.headline}
    for name, verdict in holm(family, prereg.alpha).items():
        found[name] = replace(found[name], verdict=verdict)
    return [found[rule.name] for rule in rules]


def judge_rule(table: Table, prereg: Preregistration, rule: Rule) -> Judgement:
    """One rule that data decide, with sensitivities.

    A verdict that changes when excluded runs are scored at chance is lowered to inconclusive.
    """
    kind, study = find_kind(rule.kind), _evidence(table, prereg)
    epochs = kind.epochs(study.cells, rule)
    gap, verdict, notes = _attempt(study, rule, Estimand(rule.cost), table.epochs)
    sensitivities = [
        Sensitivity(name, *_attempt(study, rule, estimand, table.epochs)[:2])
        for name, estimand in (kind.other_estimands(rule).items() if gap else ())
    ]
    if table.excluded and table.n_classes:
        name, at_chance = "excluded runs scored at chance", _evidence(table, prereg, at_chance=True)
        other = _attempt(at_chance, rule, Estimand(rule.cost), table.epochs)
        sensitivities.append(Sensitivity(name, *other[:2]))
        if verdict.value in ("supported", "refuted") and other[1].value != verdict.value:
            reason = f"{verdict.value}, but {other[1].value} with {name}"
            verdict = replace(verdict, value="inconclusive", reason=reason)
    notes = (*notes, *_excluded_note(table, study, rule, epochs))
    return Judgement(rule, verdict, epochs, gap, notes, tuple(sensitivities))


def _evidence(table: Table, prereg: Preregistration, at_chance: bool = False) -> Evidence:
    """The cells of a table; with excluded runs too, at the error of a guess, if `at_chance`."""
    rows: list[Any] = list(table.rows)
    if at_chance:
        assert table.n_classes
        chance = 1 - 1 / table.n_classes
        rows += [{**row, "val_error": chance} for row in table.excluded]
    return Evidence(cells_of(rows), prereg)


def _attempt(
    study: Evidence, rule: Rule, estimand: Estimand, planned: Sequence[int]
) -> tuple[Gap | None, Verdict, tuple[str, ...]]:
    try:
        _check_regimes(study.cells, planned)
        found = find_kind(rule.kind).estimate(study, rule, estimand)
    except PreconditionError as reason:
        return None, Verdict("not_testable", str(reason)), ()
    return found.gap, found.verdict, found.notes


def _check_regimes(cells: Sequence[Cell], planned: Sequence[int]) -> None:
    """Raises PreconditionError if the shortest or longest planned regime has no finished run."""
    finished = {c.epochs for c in cells}
    for epochs in {min(planned), max(planned)} - finished if planned else ():
        raise PreconditionError(f"no run of {epochs} epochs, which the plan has, can be analysed")


def _excluded_note(table: Table, study: Evidence, rule: Rule, epochs: int | None) -> list[str]:
    runs = [row for row in table.excluded if epochs in (None, row["epochs"])]
    if not runs:
        return []
    base = base_of(study.cells, study.prereg.base, rule.arms)
    kind, sides = find_kind(rule.kind), Counter[str]()
    for cell in cells_of([{**row, "val_error": 1.0} for row in runs]):
        sides[kind.side_of(cell, rule, base) or "neither"] += cell.n
    counts = ", ".join(f"{n} {side}" for side, n in sorted(sides.items()))
    known = "" if table.n_classes else "; classes unknown, so they cannot be scored at chance"
    return [f"{len(runs)} excluded runs by side: {counts}{known}"]
