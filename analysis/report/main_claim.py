"""What a report opens with: the claim that answers the study's question, and its picture."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from analysis.rules.kind import Judgement
from analysis.rules.registry import find_kind

# What shows a study that could test no claim, the first that it has: patterns of figures' names.
DESCRIPTIONS = ("steps", "main_effects", "arms_*", "frontier_*")


def main_claim(judgements: Sequence[Judgement], grid: Mapping[str, Any]) -> Judgement | None:
    """The claim that a study is about, None where it could test none.

    A decided one comes before one that is open, then one that the grid declares itself before a
    packaged one, one with an effect of its own before one that rests on others, and one about few
    configurations before a law.
    """
    changes = ((grid.get("rules") or {}).get("rules") or {}).items()
    declared = {name for name, change in changes if "kind" in (change or {})}
    tested = [j for j in judgements if j.verdict.value != "not_testable"]

    def rank(j: Judgement) -> tuple[bool, ...]:
        own = j.rule.name in declared
        many = find_kind(j.rule.kind).needs_many_configurations
        return not j.verdict.decided, not own, j.gap is None, many

    return min(tested, key=rank, default=None)


def main_picture(drawn: Collection[str], claim: Judgement | None) -> str | None:
    """The name of the figure, of those `drawn`, in which the claim is seen; None without any.

    Without a claim it is one that describes the study.
    """
    pictures = find_kind(claim.rule.kind).pictures if claim else DESCRIPTIONS
    found = (name for wanted in pictures for name in sorted(drawn) if fnmatch(name, wanted))
    return next(found, None)


def others(judgements: Iterable[Judgement], claim: Judgement | None) -> list[Judgement]:
    """The other claims that were tested, decided ones first."""
    tested = [j for j in judgements if j is not claim and j.verdict.value != "not_testable"]
    return sorted(tested, key=lambda j: not j.verdict.decided)
