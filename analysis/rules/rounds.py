"""An adaptive study, round by round: what the next seeds are, and how far it is then.

The first round has the fewest seeds of every cell that a declared contrast has. Each later one
spends an equal part of what is left of the budget where it lowers the variances of the contrasts of
undecided rules most for its cost (`Design.path`), with errors and noise as measured so far.
What a cell's outcome favours plays no part: rounds go by variances, and only stopping goes by
verdicts, which looks at rising shares of the final information pay for (`stats.sequential`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.rules.allocation import Design
from analysis.rules.evidence import Evidence
from analysis.rules.registry import find_kind
from analysis.rules.rule import Rule
from analysis.rules.seed_weights import Seeds, contrasts, importance
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict
from analysis.study.errors import PreconditionError
from scaling_study.common.errors import InputError


@dataclass(frozen=True)
class Round:
    """Seeds per cell after a round, and the `share` of the final information that they give."""

    seeds: Seeds
    share: float


def first_round(design: Design) -> Round:
    """The round that an adaptive study begins with.

    Raises:
        InputError: as `Design.check_start`, or none of the rules could be tested at the step times
            that the plan forecasts.
    """
    unit, amount = design.allocation.unit, design.allocation.amount
    design.check_start(f"grid.allocation.budget.{unit}={amount:g}")
    if len(design.untestable) == len(design.rules):
        reason = next(iter(design.untestable.values()))
        raise InputError(
            f"grid.allocation: no seeds would decide a rule that it is for: {reason}; give the "
            "grid other cells, or compare at a cost of theirs that is wide enough (grid.rules.cost)"
        )
    end = _end(design, design.start, design.gains)
    return Round(
        design.start, _information(design.start, design.gains) / _information(end, design.gains)
    )


def next_round(
    design: Design,
    study: Evidence,
    verdicts: Mapping[str, Verdict],
    trained: Seeds,
    shares: Sequence[float],
) -> Round | None:
    """The round after those that gave these `shares` and `trained` seeds per cell; None to stop.

    The study stops when every rule that the allocation is for is decided by its verdict, or no
    seeds can decide it, after the last round, or when the budget or the candidates allow no further
    run.
    """
    gains = _gains(design, study, _open(design, study, verdicts, trained), trained)
    done = len(shares)
    if not gains or done >= design.allocation.rounds:
        return None
    left = design.allocation.amount - design.spent(trained)
    # Where an equal part buys no run, all that is left may.
    for part in (left / (design.allocation.rounds - done), left):
        *_, seeds = design.path(trained, part, gains)
        if seeds != trained:
            last = done + 1 == design.allocation.rounds
            return Round(seeds, 1.0 if last else _share(design, seeds, gains, trained, shares[-1]))
    return None


def beyond_seeds(
    design: Design, study: Evidence, verdicts: Mapping[str, Verdict], trained: Seeds
) -> dict[str, str]:
    """The undecided rules that more seeds of the `trained` cells cannot decide, with the reason.

    They would stay untestable with all candidates, as where arms share too little range of the
    measured cost, or an arm's best learning rate lies outside those that were tried.
    """
    found = {
        rule.name: _why_beyond(design, study, rule, verdicts[rule.name], trained)
        for rule in design.rules
        if not verdicts[rule.name].decided
    }
    return {name: reason for name, reason in found.items() if reason}


def _why_beyond(
    design: Design, study: Evidence, rule: Rule, verdict: Verdict, trained: Seeds
) -> str:
    if verdict.value != "not_testable":
        return _rates_outside(study, rule) if rule.tuned else ""
    extended, cost = design.extended(study, trained, rule)
    try:
        find_kind(rule.kind).contrasts(extended, rule, Estimand(cost))
    except PreconditionError as error:
        return str(error)
    return ""


def _rates_outside(study: Evidence, rule: Rule) -> str:
    """In words which best learning rate lies outside those tried; empty where none does."""
    tuning = find_kind(rule.kind).effect(study, rule, Estimand(rule.cost)).tuning
    return tuning.outside if tuning else ""


def _open(
    design: Design, study: Evidence, verdicts: Mapping[str, Verdict], trained: Seeds
) -> list[Rule]:
    """The rules that more seeds may decide."""
    beyond = beyond_seeds(design, study, verdicts, trained)
    return [r for r in design.rules if not verdicts[r.name].decided and r.name not in beyond]


def _gains(
    design: Design, study: Evidence, rules: Sequence[Rule], trained: Seeds
) -> dict[str, float]:
    """`importance` for these rules: as measured, or as planned where the results cannot test one.

    More seeds may make it testable, as where too many runs of a cell were excluded.
    """
    found: dict[str, float] = {}
    for rule in rules:
        known, gaps = study, contrasts(study, rule, rule.cost)
        if not gaps:
            known, cost = design.extended(study, trained, rule)
            gaps = contrasts(known, rule, cost)
        for key, gain in importance(known, gaps).items():
            found[key] = found.get(key, 0.0) + gain
    return found


def _share(
    design: Design, seeds: Seeds, gains: Mapping[str, float], trained: Seeds, before: float
) -> float:
    """The share of the final information with `seeds`, where `before` was that with `trained`.

    Of what was left, the part that the information gains of what it would if all were spent: shares
    rise whatever has become known of the noise since.
    """
    now, then, final = (
        _information(n, gains) for n in (seeds, trained, _end(design, trained, gains))
    )
    return min(1.0, before + (1 - before) * (now - then) / (final - then))


def _end(design: Design, trained: Seeds, gains: Mapping[str, float]) -> Seeds:
    """The seeds with all that is left of the budget spent at once."""
    left = design.allocation.amount - design.spent(trained)
    *_, end = design.path(trained, left, gains)
    return end


def _information(seeds: Seeds, gains: Mapping[str, float]) -> float:
    """One over the sum of the contrasts' variances, each a share."""
    return 1 / sum(gain / seeds[key] for key, gain in gains.items())
