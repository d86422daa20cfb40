"""Apply the declared rules to a table: every verdict with its interval and its sensitivities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis.rules import tuning_words
from analysis.rules.declared_interval import not_applied
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Estimate, Judgement
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.rules.trunk_equivalence import Equivalence, trunk_equivalence
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict, holm
from analysis.study.cells import cells_of
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table

AT_CHANCE = "excluded runs scored at chance"


def judge(
    table: Table, cells: StudyCells, prereg: Preregistration, cost: str | None = None
) -> list[Judgement]:
    """Every declared rule on the cells of a table, at `cost` if it is given, else at its own.

    Headline rules are a family: a decision stays only if Holm's correction over those that could
    be tested leaves it (Holm 1979). Where lengths share trunks none is judged unless these are
    shown to end as cosine training does.
    """
    study, at_chance = Evidence(cells, prereg), scored_at_chance(table, prereg)
    rules = [replace(rule, cost=cost) if cost else rule for rule in prereg.rules]
    parts = {rule.name: find_kind(rule.kind).parts(rule) for rule in rules}
    trunks = trunk_equivalence(table, cells, prereg)
    found = {
        rule.name: _judge_rule(table, study, at_chance, rule, trunks)
        for rule in rules
        if not parts[rule.name]
    }
    for rule in rules:
        if names := parts[rule.name]:
            verdicts, kind = {name: found[name].verdict for name in names}, find_kind(rule.kind)
            found[rule.name] = Judgement(rule, kind.combined(rule, verdicts, prereg.alpha))
    family = {name: j.verdict for name, j in found.items() if j.rule.headline}
    for name, verdict in holm(family, prereg.alpha).items():
        found[name] = replace(found[name], verdict=verdict)
    return [found[rule.name] for rule in rules]


def _judge_rule(
    table: Table, study: Evidence, at_chance: Evidence | None, rule: Rule, trunks: Equivalence
) -> Judgement:
    """One rule that runs decide; inconclusive where excluded runs scored `at_chance` change it."""
    kind = find_kind(rule.kind)
    epochs = kind.epochs(study.cells, rule)
    if trunks.refused:
        return Judgement(rule, Verdict("not_testable", trunks.refused), epochs)
    declared = Estimand(rule.cost)
    found = _attempt(study, rule, declared, table.epochs)
    verdict, others = found.verdict, kind.other_estimands(rule) if found.gap else {}
    sensitivities = {name: _attempt(study, rule, e, table.epochs) for name, e in others.items()}
    if at_chance is not None:
        other = sensitivities[AT_CHANCE] = _attempt(at_chance, rule, declared, table.epochs)
        verdict = _unless_chance_differs(verdict, other.verdict)
    notes = (*found.notes, *tuning_words.notes(found.tuning), *trunks.notes, *study.look_note())
    notes += not_applied(study.prereg, found.gap, found.tuning is not None)
    notes += (*_excluded_note(table, study, rule, epochs),)
    return Judgement(rule, verdict, epochs, found.gap, notes, sensitivities, found.tuning)


def verdict_on(
    study: Evidence,
    at_chance: Evidence | None,
    rule: Rule,
    estimand: Estimand,
    planned: Sequence[int],
) -> Verdict:
    """The verdict on a rule that runs decide, before Holm's correction.

    `planned` are the lengths of training that must be there.
    """
    verdict = _attempt(study, rule, estimand, planned).verdict
    if at_chance is None:
        return verdict
    return _unless_chance_differs(verdict, _attempt(at_chance, rule, estimand, planned).verdict)


def _unless_chance_differs(verdict: Verdict, other: Verdict) -> Verdict:
    """Inconclusive where a verdict is not that with excluded runs scored at chance."""
    if verdict.value not in ("supported", "refuted") or other.value == verdict.value:
        return verdict
    reason = f"{verdict.value}, but {other.value} with {AT_CHANCE}"
    return replace(verdict, value="inconclusive", reason=reason)


def scored_at_chance(table: Table, prereg: Preregistration) -> Evidence | None:
    """The cells with excluded runs at the error of guessing; None without such runs."""
    if not table.excluded or not table.n_classes:
        return None
    rows: list[Any] = [*({**row, "val_error": table.chance} for row in table.excluded)]
    rows += [*table.rows, *table.tuning]
    return Evidence(StudyCells.of(rows, prereg.base, prereg.arms), prereg)


def _attempt(study: Evidence, rule: Rule, estimand: Estimand, planned: Sequence[int]) -> Estimate:
    """Not testable where a precondition fails or the plan's first or last regime has no run."""
    for epochs in {min(planned), max(planned)} - {*study.cells.regimes} if planned else ():
        reason = f"no run of {study.cells.measure.at(epochs)}, which the plan has, can be analysed"
        return Estimate(None, Verdict("not_testable", reason))
    try:
        found = find_kind(rule.kind).estimate(study, rule, estimand)
    except PreconditionError as error:
        return Estimate(None, Verdict("not_testable", str(error)))
    verdict = replace(
        found.verdict,
        p_supported=_over_all_looks(study, found.verdict.p_supported),
        p_refuted=_over_all_looks(study, found.verdict.p_refuted),
    )
    return replace(found, verdict=verdict)


def _over_all_looks(study: Evidence, p: float | None) -> float | None:
    """A one-sided p value of this look as that of the whole study."""
    if p is None or p >= 0.5:
        return p
    return min(0.5, study.look.overall(2 * p, study.prereg.alpha) / 2)


def _excluded_note(table: Table, study: Evidence, rule: Rule, epochs: int | None) -> list[str]:
    runs = [row for row in table.excluded if epochs in (None, row["epochs"])]
    if not runs:
        return []
    base = study.cells.base(rule.arms)
    kind, sides = find_kind(rule.kind), Counter[str]()
    for cell in cells_of([{**row, "val_error": 1.0} for row in runs]):
        sides[kind.side_of(cell, rule, base) or "neither"] += cell.n
    counts = ", ".join(f"{n} {side}" for side, n in sorted(sides.items()))
    known = "" if table.n_classes else "; classes unknown, so they cannot be scored at chance"
    return [f"{len(runs)} excluded runs by side: {counts}{known}"]
