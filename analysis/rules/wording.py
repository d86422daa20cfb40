"""Verdicts for people: one line each, and sentences for readers who have not seen the rules."""

from collections.abc import Sequence

from analysis.rules.kind import Judgement
from analysis.rules.phrases import capitalised
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.stats.decision import UNDECIDED


def line(judgement: Judgement, prereg: Preregistration) -> str:
    """One line per verdict, the same wherever it is shown."""
    rule, verdict, gap = judgement.rule, judgement.verdict, judgement.gap
    head = f"{rule.name:<14}  {verdict.value}"
    head += "  EXPLORATORY" if prereg.exploratory else ""
    if gap is None:
        return f"{head}  ({verdict.reason})"
    text = f"{head}  {find_kind(rule.kind).line(judgement, gap)}"
    if verdict.value in ("refuted", "inconclusive"):
        text += f": {verdict.reason}"
    return text + _seeds(judgement)


def lines(judgements: Sequence[Judgement], prereg: Preregistration) -> list[str]:
    """All verdicts, then the rules they are judged by.

    Claims that need many configurations, which a study of two arms does not have, share a line.
    """
    rules = f"{'rules':<14}  sha256 {prereg.sha256}"
    if prereg.exploratory:
        rules += f"; EXPLORATORY: {prereg.exploratory}"
    beyond = [
        j.rule.name
        for j in judgements
        if j.verdict.value == "not_testable" and find_kind(j.rule.kind).needs_many_configurations
    ]
    found = [line(j, prereg) for j in judgements if j.rule.name not in beyond]
    if beyond:
        names = ", ".join(beyond)
        found.append(f"{'not testable':<14}  with this grid: {names} (the report says why)")
    return [*found, rules]


def sentence(j: Judgement) -> str:
    """What was found, with its error bar, and the verdict.

    As in "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % (relative error);
    supported". The half width is that of the interval at the declared confidence.
    """
    kind, word = find_kind(j.rule.kind), j.verdict.value.replace("_", " ")
    if kind.parts(j.rule) and j.verdict.value != "not_testable":
        return f"{kind.combined_sentence(j)}; {word}"
    if j.gap is None:
        return f"{capitalised(j.rule.claim)}: this study cannot test it"
    return f"{kind.sentence(j, j.gap)}; {word}"


def why(j: Judgement) -> str:
    """Why a claim is not supported, and what would decide it; empty where it is."""
    kind, value = find_kind(j.rule.kind), j.verdict.value
    if value == "supported" or kind.parts(j.rule):
        return j.verdict.reason if value == "not_testable" else ""
    text = j.verdict.reason
    if kind.unit == "percent":
        text += f" (margin {100 * j.rule.margin:g} %)"
    return capitalised(text + _seeds(j))


def _seeds(j: Judgement) -> str:
    """How many seeds would decide a claim whose interval contains the margin; else empty."""
    needed = j.verdict.seeds_needed
    if j.verdict.reason != UNDECIDED or not find_kind(j.rule.kind).decided_by_seeds:
        return ""
    if needed is None:
        return (
            "; more than 1000 seeds per cell would be needed for an estimate this near the margin"
        )
    return f"; about {needed} seeds per cell would decide it if the estimate stays"
