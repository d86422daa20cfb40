"""Apply the declared rules to a table: every verdict with its interval and its sensitivities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.arms import Base, arm_of, base_of
from analysis.contrast import Estimand, Gap, PreconditionError
from analysis.gaps import gap_at
from analysis.noise import COSTS, Cell, Noise, cells_of
from analysis.rules import COST_NAMES, Prereg, Rule
from analysis.tables import Table
from analysis.verdict import Verdict, combine, decide


@dataclass(frozen=True)
class Sensitivity:
    """The same question asked another way; `gap` is None where that could not be answered."""

    name: str
    gap: Gap | None
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """A rule, what was measured and the verdict; a compound rule has neither regime nor gap."""

    rule: str
    claim: str
    cost: str
    verdict: Verdict
    epochs: int | None = None
    gap: Gap | None = None
    notes: tuple[str, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()


def _cells(table: Table, scored_at_chance: bool = False) -> list[Cell]:
    rows: list[Any] = list(table.rows)
    if scored_at_chance:
        assert table.n_classes
        chance = 1 - 1 / table.n_classes
        rows += [{**row, "val_error": chance} for row in table.excluded]
    return cells_of(rows)


def _attempt(
    cells: Sequence[Cell], prereg: Prereg, rule: Rule, base: Base, estimand: Estimand
) -> tuple[Gap | None, Verdict, tuple[str, ...]]:
    regimes = sorted({c.epochs for c in cells})
    epochs = regimes[-1 if rule.regime == "longest" else 0]
    try:
        if len(regimes) < 2:
            raise PreconditionError(f"one regime only ({epochs} epochs); long and short need two")
        gap, pairs, noise = gap_at(cells, prereg, base, epochs, estimand)
    except PreconditionError as reason:
        return None, Verdict("not_testable", str(reason)), ()
    seeds = [c.n for pair in pairs for c in (*pair.depth, *pair.width)]
    verdict = decide(
        gap, rule.sign, prereg.margin, prereg.alpha, sum(seeds) / len(seeds), len(noise.variances)
    )
    return gap, verdict, _notes(cells, gap, noise, epochs)


def _notes(cells: Sequence[Cell], gap: Gap, noise: Noise, epochs: int) -> tuple[str, ...]:
    notes = [f"seed SD {noise.text}"]
    outside = sorted({c.resolution for c in cells if c.epochs == epochs} - set(gap.overlap))
    if outside:
        notes.append(f"not both arms at {', '.join(map(str, outside))} px: not in the average")
    if gap.cost_se:
        notes.append(f"timing differs between seeds: SE {100 * gap.cost_se:.2f} % included")
    return tuple(notes)


def _variants(axis: str) -> dict[str, Estimand]:
    variants = {
        "piecewise-linear interpolation": Estimand(axis, linear=True),
        "averaged on the error scale": Estimand(axis, scale="error"),
        "at the top of the common cost range": Estimand(axis, top=True),
    }
    others = {f"at equal {COST_NAMES[a]}": Estimand(a) for a in COSTS if a != axis}
    return variants | others


def _excluded_note(table: Table, base: Base, epochs: int) -> list[str]:
    runs = [row for row in table.excluded if row["epochs"] == epochs]
    if not runs:
        return []
    arms = Counter(arm_of(row["depth"], row["width"], base) or "neither" for row in runs)
    counts = ", ".join(f"{n} {arm}" for arm, n in sorted(arms.items()))
    known = "" if table.n_classes else "; classes unknown, so they cannot be scored at chance"
    return [f"{len(runs)} excluded runs by arm: {counts}{known}"]


def judge_rule(table: Table, prereg: Prereg, rule: Rule, cost: str) -> Judgement:
    """One rule at equal `cost`, with sensitivities.

    A verdict that changes when excluded runs are scored at chance is lowered to inconclusive.
    """
    cells = _cells(table)
    base = base_of(cells, prereg.base)
    regimes = sorted({c.epochs for c in cells})
    epochs = regimes[-1 if rule.regime == "longest" else 0]
    gap, verdict, notes = _attempt(cells, prereg, rule, base, Estimand(cost))
    sensitivities = [
        Sensitivity(name, *_attempt(cells, prereg, rule, base, estimand)[:2])
        for name, estimand in _variants(cost).items()
    ]
    if table.excluded and table.n_classes:
        name = "excluded runs scored at chance"
        other = _attempt(_cells(table, True), prereg, rule, base, Estimand(cost))
        sensitivities.append(Sensitivity(name, *other[:2]))
        if verdict.value in ("supported", "refuted") and other[1].value != verdict.value:
            reason = f"{verdict.value}, but {other[1].value} with {name}"
            verdict = replace(verdict, value="inconclusive", reason=reason)
    return Judgement(
        rule.name,
        rule.claim,
        cost,
        verdict,
        epochs,
        gap,
        (*notes, *_excluded_note(table, base, epochs)),
        tuple(sensitivities),
    )


def judge(table: Table, prereg: Prereg, cost: str | None = None) -> list[Judgement]:
    """Every declared rule and their conjunction, at the declared cost unless told otherwise."""
    axis = cost or prereg.cost
    parts = [judge_rule(table, prereg, rule, axis) for rule in prereg.rules]
    both = combine([(j.rule, j.verdict) for j in parts], prereg.alpha)
    return [*parts, Judgement(prereg.both, prereg.both_claim, axis, both)]
