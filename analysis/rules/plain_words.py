"""What people are told first about rules: a sentence each, without codes and degrees of freedom.

`wording` and `design_analysis` have the details.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from analysis.rules.design_analysis import Power
from analysis.rules.kind import Judgement
from analysis.rules.phrases import capitalised
from analysis.rules.planned import UNKNOWN
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.rules.wording import at_equal_flops, costs_disagree
from analysis.stats.decision import UNDECIDED

DECIDED = ("supported", "refuted")
# What a verdict that is neither is called.
OPEN, UNTESTED = "undecided", "untested"
Grid = Mapping[str, Any]


def planned(powers: Sequence[Power], prereg: Preregistration, grid: Grid) -> list[str]:
    """What the rules can decide with a plan; those that the grid is not for share one line.

    Lines that begin with spaces belong to the one before.
    """
    rules = {rule.name: rule for rule in prereg.rules}
    known = [p for p in powers if p.mde80 is not None]
    sources = {_noise(p) for p in known}
    shared = f" ({sources.pop()})" if len(sources) == 1 else ""
    lines = [f"what can be decided, with 80 % power{shared}:"] if known else []
    for p in known:
        size = _size(rules[p.rule], p.mde80 or 0.0)
        own = "" if shared else f" ({_noise(p)})"
        lines.append(f"  {capitalised(_topic(rules[p.rule], p.epochs))}: {size}{own}")
    if rest := [p for p in powers if p.testable and p.mde80 is None]:
        more = " more" if known else ""
        lines.append(f"{'  ' if known else ''}{_counted(len(rest), more)} can be tested")
    if any(p.source == UNKNOWN for p in rest):
        lines.append(
            "nothing says how runs scatter, so not what sizes of effects: grid.planning may, "
            "as in {400: {error: 2.5, seed_sd: 0.01}}"
        )
    reasons = {p.rule: (p.reason, p.epochs) for p in powers if not p.testable}
    return [*lines, *_untested(reasons, rules, grid, "explain=rules")]


def found(
    judgements: Sequence[Judgement], prereg: Preregistration, grid: Grid
) -> Iterator[tuple[str, str]]:
    """Each verdict's word with its sentence: what is decided, what is open, what is untested."""
    decided = [j for j in judgements if j.verdict.value in DECIDED]
    yield from ((j.verdict.value, _decided(j) + _flops(j)) for j in decided)
    names = undecided(judgements)
    for j in names.values():
        topic = capitalised(_topic(j.rule, j.epochs))
        yield OPEN, f"{topic}: {what_decides(j, names)}{_flops(j)}"
    reasons = {
        j.rule.name: (j.verdict.reason, j.epochs)
        for j in judgements
        if j.verdict.value == "not_testable"
    }
    rules = {j.rule.name: j.rule for j in judgements}
    yield from ((UNTESTED, text) for text in _untested(reasons, rules, grid, "--details"))


def undecided(judgements: Sequence[Judgement]) -> dict[str, Judgement]:
    """The claims that are open, by their rules' names."""
    return {j.rule.name: j for j in judgements if j.verdict.value == "inconclusive"}


def word_of(verdict: str) -> str:
    """What people are told first of a verdict: supported, refuted, undecided or untested."""
    return {"inconclusive": OPEN, "not_testable": UNTESTED}.get(verdict, verdict)


def _topic(rule: Rule, epochs: int | None) -> str:
    return find_kind(rule.kind).topic(rule, epochs)


def _size(rule: Rule, effect: float) -> str:
    """Differences as large as an effect, in words."""
    measure = rule.measure
    shown = (
        f"{measure.gap_factor * effect:.1f}" if measure.log else f"{measure.factor * effect:.3g}"
    )
    of = f" of the {measure.name}" if measure.log else f" in {measure.name}"
    return f"differences of {shown}{measure.gap_unit}{of}"


def _noise(power: Power) -> str:
    """Where the noise between seeds is from."""
    return {"pilot": "a pilot's noise", "declared": "declared noise"}.get(
        power.source, "assumed noise"
    )


def _counted(number: int, kind: str = "") -> str:
    return f"{number}{kind} {'rule' if number == 1 else 'rules'}"


def _decided(j: Judgement) -> str:
    """What was found; of a refuted claim also what it said."""
    kind = find_kind(j.rule.kind)
    if j.gap is None:
        refuted = f"{capitalised(j.rule.claim)}: one of its parts is refuted"
        return kind.combined_sentence(j) if j.verdict.value == "supported" else refuted
    said = kind.sentence(j, j.gap)
    return said if j.verdict.value == "supported" else f"{said}. The claim was that {j.rule.claim}"


def what_decides(j: Judgement, names: Collection[str]) -> str:
    """What would decide an open claim, beside those of these `names`, which are open too."""
    kind = find_kind(j.rule.kind)
    if (parts := kind.parts(j.rule)) and any(name in names for name in parts):
        return "open as long as one of its parts is"
    if (open_part := f"refuted, but not as one of {len(parts)}") in j.verdict.reason:
        return f"a part is {open_part}; more seeds would decide"
    if j.verdict.reason != UNDECIDED:
        by_seeds = "; more seeds would decide" if j.verdict.p_holm is not None else ""
        return f"{j.verdict.reason}{by_seeds}"
    return f"{kind.decided_by(j)} would decide"


def _flops(j: Judgement) -> str:
    """A verdict at equal FLOPs that is another one."""
    other = at_equal_flops(j)
    if other is None or not costs_disagree(j):
        return ""
    word = other.verdict.value.replace("inconclusive", OPEN)
    return f" (at equal FLOPs: {word})"


def _untested(
    reasons: Mapping[str, tuple[str, int | None]],
    rules: Mapping[str, Rule],
    grid: Grid,
    details: str,
) -> list[str]:
    """A line for each reason that keeps the rules of this grid from a test, and one for the rest.

    A grid is for the rules that it declares; without any, for those that do not need many
    configurations. `details` is what lists all reasons.
    """
    declared = ((grid.get("rules") or {}).get("rules") or {}).keys()
    meant: dict[str, list[str]] = {}
    others = list[Rule]()
    for name, (reason, epochs) in reasons.items():
        rule, kind = rules[name], find_kind(rules[name].kind)
        if not (name in declared if declared else not kind.needs_many_configurations):
            others.append(rule)
        elif not kind.parts(rule):  # else its parts say it
            meant.setdefault(reason, []).append(_topic(rule, epochs))
    lines = [
        f"{capitalised(topics[0])} cannot be tested: {reason}"
        if len(topics) == 1
        else f"{_counted(len(topics))} cannot be tested: {reason}"
        for reason, topics in meant.items()
    ]
    if others:
        kinds = [find_kind(rule.kind) for rule in others if not find_kind(rule.kind).parts(rule)]
        needs = " or ".join(dict.fromkeys(kind.needs for kind in kinds)) or "other cells"
        verb = "needs" if len(others) == 1 else "need"
        lines.append(f"{_counted(len(others), ' other')} {verb} {needs}; {details} says why")
    return lines
