"""Apply the declared rules to a table: every verdict with its interval and its sensitivities."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from analysis.rules.kinds.arms import as_sample, check_regimes, difference, gap_at, regimes_of
from analysis.rules.kinds.laws import LAWS, judge_law
from analysis.rules.kinds.levels import (
    compare_levels,
    cost_ratios,
    level_names,
    level_of,
    regime_of,
)
from analysis.rules.kinds.regret import transfer_of
from analysis.rules.rule import ONE_FAMILY, Preregistration, Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.decision import Verdict, combine, decide, holm
from analysis.study.arms import arm_of
from analysis.study.cells import cells_of
from analysis.study.columns import ALL_COST_NAMES, COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table


@dataclass(frozen=True)
class Sensitivity:
    """The same question asked another way; `gap` is None where that could not be answered."""

    name: str
    gap: Gap | None
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """A rule, what was measured and the verdict; a rule of kind `all` has no gap of its own.

    `epochs` is the regime that the claim is about, None if it is about several.
    """

    rule: Rule
    verdict: Verdict
    epochs: int | None = None
    gap: Gap | None = None
    notes: tuple[str, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()


Attempt = tuple[Gap, Verdict, tuple[str, ...]]


def _scored_at_chance(table: Table, prereg: Preregistration) -> StudyCells | None:
    """The cells with excluded runs at the error of guessing; None without such runs."""
    if not table.excluded or not table.n_classes:
        return None
    chance = 1 - 1 / table.n_classes
    rows: list[Any] = [*table.rows, *({**row, "val_error": chance} for row in table.excluded)]
    return StudyCells.of(rows, prereg.base)


def _decide(gap: Gap, rule: Rule, prereg: Preregistration, seeds: float, cells: int) -> Verdict:
    return decide(gap, rule.sign, rule.margin, prereg.alpha, seeds, cells)


def _arms(cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand) -> Attempt:
    epochs = regimes_of(cells)[rule.regime == "longest"]
    gap, pairs, noise = gap_at(cells, prereg, epochs, estimand, rule.arms)
    seeds = [c.n for pair in pairs for c in pair.cells]
    verdict = _decide(gap, rule, prereg, sum(seeds) / len(seeds), len(noise.variances))
    sample = as_sample(cells, prereg, epochs, estimand, rule.arms)
    return gap, verdict, (*_notes(gap, noise), *_sample_note(sample, gap, rule))


def _interaction(
    cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand
) -> Attempt:
    shorter, longer = (
        gap_at(cells, prereg, epochs, estimand, rule.arms) for epochs in regimes_of(cells)
    )
    gap = difference(longer[0], shorter[0], prereg.alpha)
    seeds = [c.n for _, pairs, _ in (shorter, longer) for pair in pairs for c in pair.cells]
    count = len(shorter[2].variances) + len(longer[2].variances)
    return gap, _decide(gap, rule, prereg, sum(seeds) / len(seeds), count), _notes(gap, longer[2])


def _regret(cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand) -> Attempt:
    found = transfer_of(cells, prereg, estimand.axis, rule.arms)
    seeds = sum(c.n for c in cells) / len(cells)
    each = ", ".join(f"{label}: {100 * value:.2f} pp" for label, value in found.by_pair.items())
    notes = (
        f"before the correction of its bias, {each}",
        "rank correlation of the regimes (Kendall): "
        + ", ".join(f"{label}: {tau:.2f}" for label, tau in found.ranks.items()),
        f"the better arm changes over {100 * found.flip_share:.0f} % of the common range of cost",
    )
    return found.regret, _decide(found.regret, rule, prereg, seeds, len(cells)), notes


def _levels(cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand) -> Attempt:
    gap, matches, noises = compare_levels(cells, prereg, rule, estimand)
    seeds = [c.n for match in matches for c in (match.first, match.second)]
    count = sum(len(noise.variances) for noise in noises.values())
    verdict = _decide(gap, rule, prereg, sum(seeds) / len(seeds), count)
    notes = [f"mean of {len(matches)} pairs: {', '.join(m.label for m in matches)}"]
    notes += [f"seed SD {noise.text} at {epochs} epochs" for epochs, noise in noises.items()]
    if ratios := cost_ratios(gap):
        first, second = level_names(rule)
        span = f"{min(ratios):.2f} to {max(ratios):.2f}"
        notes.append(f"{ALL_COST_NAMES[estimand.axis]} of {second} over {first}: {span}")
    return gap, verdict, tuple(notes)


def _law(cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand) -> Attempt:
    epochs = regime_of(cells, rule)
    assert epochs is not None
    return judge_law(cells, rule, epochs, estimand.axis, prereg.alpha)


def _speed(cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand) -> Attempt:
    raise PreconditionError(ONE_FAMILY)


KINDS: dict[str, Callable[[StudyCells, Preregistration, Rule, Estimand], Attempt]] = {
    "arms": _arms,
    "interaction": _interaction,
    "levels": _levels,
    "regret": _regret,
    "speed": _speed,
    **dict.fromkeys(LAWS, _law),
}


def _notes(gap: Gap, noise: Noise) -> tuple[str, ...]:
    notes = [f"seed SD {noise.text}"]
    if gap.cost_se:
        notes.append(f"timing differs between seeds: SE {100 * gap.cost_se:.2f} % included")
    return tuple(notes)


def _sample_note(
    sample: tuple[float, float, float] | None, gap: Gap, rule: Rule
) -> tuple[str, ...]:
    """Whether the claim also holds for settings that were not run."""
    if sample is None:
        return ()
    mean, low, high = sample
    inside = min(rule.sign * low, rule.sign * high) > rule.margin
    held = "holds" if inside else "does not hold"
    return (
        f"with the {len(gap.overlap)} settings of the other axes as a random sample: "
        f"{100 * mean:+.1f} % [{100 * low:.1f}, {100 * high:.1f}], so beyond them the claim {held}",
    )


def _attempt(
    cells: StudyCells,
    prereg: Preregistration,
    rule: Rule,
    estimand: Estimand,
    planned: tuple[int, ...],
) -> tuple[Gap | None, Verdict, tuple[str, ...]]:
    try:
        check_regimes(cells, planned)
        return KINDS[rule.kind](cells, prereg, rule, estimand)
    except PreconditionError as reason:
        return None, Verdict("not_testable", str(reason)), ()


def _variants(rule: Rule, cost: str) -> dict[str, Estimand]:
    others = {f"at equal {ALL_COST_NAMES[a]}": Estimand(a) for a in COST_NAMES if a != cost}
    if rule.kind == "regret" or rule.kind in LAWS:
        return others
    if rule.kind == "levels":
        return {"averaged on the error scale": Estimand(cost, scale="error")}
    return {
        "piecewise-linear interpolation": Estimand(cost, linear=True),
        "averaged on the error scale": Estimand(cost, scale="error"),
        "at the top of the common cost range": Estimand(cost, top=True),
    } | others


def _excluded_note(table: Table, cells: StudyCells, rule: Rule, epochs: int | None) -> list[str]:
    runs = [row for row in table.excluded if epochs in (None, row["epochs"])]
    if not runs:
        return []
    base = cells.base(rule.arms)
    sides: Counter[str] = Counter()
    for cell in cells_of([{**row, "val_error": 1.0} for row in runs]):
        side = level_of(cell, rule) if rule.kind == "levels" else arm_of(cell, base)
        sides[side or "neither"] += cell.n
    counts = ", ".join(f"{n} {side}" for side, n in sorted(sides.items()))
    known = "" if table.n_classes else "; classes unknown, so they cannot be scored at chance"
    return [f"{len(runs)} excluded runs by side: {counts}{known}"]


def judge_rule(
    table: Table,
    cells: StudyCells,
    at_chance: StudyCells | None,
    prereg: Preregistration,
    rule: Rule,
) -> Judgement:
    """One rule that is not of kind `all`, with sensitivities; `at_chance` has excluded runs too.

    A verdict that changes when excluded runs are scored at chance is lowered to inconclusive.
    """
    one = rule.kind in ("arms", "levels") or rule.kind in LAWS
    epochs = regime_of(cells, rule) if one else None
    gap, verdict, notes = _attempt(cells, prereg, rule, Estimand(rule.cost), table.epochs)
    sensitivities = [
        Sensitivity(name, *_attempt(cells, prereg, rule, estimand, table.epochs)[:2])
        for name, estimand in (_variants(rule, rule.cost).items() if gap else ())
    ]
    if at_chance is not None:
        name = "excluded runs scored at chance"
        other = _attempt(at_chance, prereg, rule, Estimand(rule.cost), table.epochs)
        sensitivities.append(Sensitivity(name, *other[:2]))
        if verdict.value in ("supported", "refuted") and other[1].value != verdict.value:
            reason = f"{verdict.value}, but {other[1].value} with {name}"
            verdict = replace(verdict, value="inconclusive", reason=reason)
    notes = (*notes, *_excluded_note(table, cells, rule, epochs))
    return Judgement(rule, verdict, epochs, gap, notes, tuple(sensitivities))


def judge(
    table: Table, cells: StudyCells, prereg: Preregistration, cost: str | None = None
) -> list[Judgement]:
    """Every declared rule; those about arms at `cost` if it is given, else at their declared one.

    Headline rules are a family: a decision stays only if Holm's correction over those that could
    be tested leaves it (Holm 1979).
    """
    rules = [
        replace(rule, cost=cost) if cost and rule.kind not in LAWS else rule
        for rule in prereg.rules
    ]
    at_chance = _scored_at_chance(table, prereg)
    found = {
        r.name: judge_rule(table, cells, at_chance, prereg, r) for r in rules if r.kind != "all"
    }
    for rule in rules:
        if rule.kind == "all":
            parts = [(name, found[name].verdict) for name in rule.parts]
            found[rule.name] = Judgement(rule, combine(parts, prereg.alpha))
    family = {name: j.verdict for name, j in found.items() if j.rule.headline}
    for name, verdict in holm(family, prereg.alpha).items():
        found[name] = replace(found[name], verdict=verdict)
    return [found[rule.name] for rule in rules]
