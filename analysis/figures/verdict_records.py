"""Verdicts as rows of a forest plot: every tested claim with its sensitivities."""

from collections.abc import Sequence

from analysis.rules.judge import Judgement
from analysis.rules.rule import Rule
from analysis.rules.wording import LAW_WORDS, law_words
from analysis.stats.contrast import Gap
from analysis.study.columns import Record


def unit_of(kind: str) -> str:
    """In what a rule's effect is shown: percent (of error), pp (of error) or a plain number."""
    if kind == "regret":
        return "pp"
    return "number" if kind in LAW_WORDS else "percent"


def verdict_records(judgements: Sequence[Judgement]) -> list[Record]:
    """A row per claim with an effect and per sensitivity, in the unit that `unit` names.

    `about` says what is measured, of a law, or what is claimed. A claim whose sign is negative
    ("width beats depth") keeps its effect, and its margin has that sign.
    """
    rows: list[Record] = []
    for j in judgements:
        attempts = [("declared", j.gap, j.verdict)]
        attempts += [(s.name, s.gap, s.verdict) for s in j.sensitivities]
        for variant, gap, verdict in attempts:
            if j.gap is None or gap is None:
                continue
            unit = unit_of(j.rule.kind)
            rows.append(
                {"rule": j.rule.name, "variant": variant, "verdict": verdict.value, "unit": unit}
                | {"about": _about(j.rule)}
                | _scaled(gap, j.rule.sign * j.rule.margin, 1.0 if unit == "number" else 100.0)
            )
    return rows


def _about(rule: Rule) -> str:
    return law_words(rule).split(";")[0] if rule.kind in LAW_WORDS else rule.claim


def _scaled(gap: Gap, margin: float, factor: float) -> Record:
    values = {"estimate": gap.estimate, "low": gap.low, "high": gap.high, "margin": margin}
    return {name: factor * value for name, value in values.items()}
