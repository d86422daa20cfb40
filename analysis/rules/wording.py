"""Verdicts as lines, as sentences for readers who do not know the rules, and as JSON records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.rules import tuning_words
from analysis.rules.kind import Judgement
from analysis.rules.phrases import capitalised
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Gap
from analysis.stats.decision import UNDECIDED, value_of
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.step_times import STEP_TIME


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


def lines(
    judgements: Sequence[Judgement],
    prereg: Preregistration,
    counts: Mapping[str, str] | None = None,
) -> list[str]:
    """All verdicts, then the look at which they are read and the rules they are judged by.

    `counts` say, by rule, in how many analyses the verdict is the same. Claims that need many
    configurations, which a study of two arms does not have, share a line.
    """
    rules = f"{'rules':<14}  sha256 {prereg.sha256}"
    if prereg.exploratory:
        rules += f"; EXPLORATORY: {prereg.exploratory}"
    if prereg.anchor:
        rules += f"; anchored: {prereg.anchor}"
    beyond = [
        j.rule.name
        for j in judgements
        if j.verdict.value == "not_testable" and find_kind(j.rule.kind).needs_many_configurations
    ]
    shown = [j for j in judgements if j.rule.name not in beyond]
    found = []
    for j in shown:
        count = (counts or {}).get(j.rule.name)
        found.append(line(j, prereg) + (f"; {count}" if count else ""))
        found += [*_tuning_line(j), *_flops_line(j, prereg)]
    if beyond:
        names = ", ".join(beyond)
        found.append(f"{'not testable':<14}  with this grid: {names} (the report says why)")
    if prereg.look_text:
        found.append(f"{'look':<14}  {prereg.look_text}")
    return [*found, rules]


def sentence(j: Judgement) -> str:
    """What was found, with its error bar, and the verdict.

    As in "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % of the error;
    supported". The half width is that of the interval at the declared confidence.
    """
    kind, word = find_kind(j.rule.kind), j.verdict.value.replace("_", " ")
    if kind.parts(j.rule) and j.verdict.value != "not_testable":
        return f"{kind.combined_sentence(j)}; {word}"
    if j.gap is None:
        return f"{capitalised(j.rule.claim)}: this study cannot test it"
    return f"{kind.sentence(j, j.gap)}; {word}{_tuning_sentence(j)}{_flops_sentence(j)}"


def finding(j: Judgement) -> str:
    """What was found, with its error bar, where a badge beside it has the verdict."""
    if j.gap is None:
        return capitalised(j.rule.claim)
    return f"{find_kind(j.rule.kind).sentence(j, j.gap)}{_tuning_sentence(j)}"


def finding_at_equal_flops(j: Judgement) -> str:
    """What was found at equal FLOPs where the verdict is another one there; else empty."""
    other = at_equal_flops(j)
    if other is None or other.gap is None or not costs_disagree(j):
        return ""
    return f"{find_kind(j.rule.kind).sentence(other, other.gap)}: the verdict depends on the cost."


def at_equal_flops(j: Judgement) -> Judgement | None:
    """The same rule at equal FLOPs, which do not drift; None unless its own cost is step time."""
    name = f"at equal {ALL_COST_NAMES['flops']}"
    if j.rule.cost != STEP_TIME or j.gap is None or name not in j.sensitivities:
        return None
    other = j.sensitivities[name]
    return replace(
        j, rule=replace(j.rule, cost="flops"), gap=other.gap, verdict=other.verdict, notes=()
    )


def costs_disagree(j: Judgement) -> bool:
    """Whether the verdicts at equal step time and at equal FLOPs differ, before Holm's."""
    other = at_equal_flops(j)
    if other is None or j.gap is None or other.gap is None:
        return False
    if j.tuning is not None and j.tuning.outside:
        return False
    low, high = sorted((j.rule.sign * j.gap.low, j.rule.sign * j.gap.high))
    return value_of(low, high, j.rule.margin)[0] != other.verdict.value


def _tuning_line(j: Judgement) -> list[str]:
    """What tuning says, below the verdict with both arms at their best learning rates."""
    return [f"{'':<14}  {tuning_words.line(j.tuning, j.rule)}"] if j.tuning else []


def _tuning_sentence(j: Judgement) -> str:
    """Whether the verdict is robust to tuning; empty where the rule does not ask for it."""
    if j.tuning is None:
        return ""
    regimes = not find_kind(j.rule.kind).one_regime
    return f". {tuning_words.sentence(j.tuning, j.rule, j.verdict.value, regimes)}"


def _flops_line(j: Judgement, prereg: Preregistration) -> list[str]:
    """The verdict at equal FLOPs below that at equal step time, and whether they disagree."""
    other = at_equal_flops(j)
    if other is None:
        return []
    head = f"{'':<14}  at equal FLOPs {other.verdict.value}"
    head += "  EXPLORATORY" if prereg.exploratory else ""
    effect = find_kind(j.rule.kind).line(other, other.gap) if other.gap else other.verdict.reason
    depends = "; the two disagree: the verdict depends on the cost" if costs_disagree(j) else ""
    return [f"{head}  {effect}{depends}"]


def _flops_sentence(j: Judgement) -> str:
    """What the verdict is at equal FLOPs, as a sentence of its own; empty where it is not asked."""
    other = at_equal_flops(j)
    if other is None:
        return ""
    word = other.verdict.value.replace("_", " ")
    if costs_disagree(j):
        return f". At equal FLOPs: {word}; the two disagree, so the verdict depends on the cost"
    return f". At equal FLOPs: {word}"


def why(j: Judgement) -> str:
    """Why a claim is not supported, and what would decide it; empty where it is."""
    kind, value = find_kind(j.rule.kind), j.verdict.value
    if value == "supported" or kind.parts(j.rule):
        return j.verdict.reason if value == "not_testable" else ""
    text = j.verdict.reason
    if kind.unit == "percent":
        text += f" (margin {j.rule.measure.size(j.rule.margin)})"
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


def _gap_record(gap: Gap | None) -> dict[str, Any]:
    if gap is None:
        return dict.fromkeys(("estimate", "ci_low", "ci_high", "estimate_pp", "se", "df"))
    return {
        "estimate": gap.estimate,
        "ci_low": gap.low,
        "ci_high": gap.high,
        "estimate_pp": gap.measure.factor * gap.estimate * gap.level,
        "se": gap.se,
        "df": gap.df if math.isfinite(gap.df) else None,
    }


def record(
    judgement: Judgement, prereg: Preregistration, multiverse: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One verdict as JSON; null is what does not apply, and `df` where the noise is declared.

    Effects are relative errors, or raw differences of the outcome, positive where the first arm is
    better (a regret: of the outcome); `estimate_pp` is that of outcomes as shown.
    `multiverse` is what other analyses conclude, where that was asked.
    """
    rule, verdict, gap = judgement.rule, judgement.verdict, judgement.gap
    return {
        "claim": rule.claim,
        "kind": rule.kind,
        "headline": rule.headline,
        "verdict": verdict.value,
        "reason": verdict.reason,
        "exploratory": bool(prereg.exploratory),
        "epochs": judgement.epochs,
        "cost": rule.cost,
        **_gap_record(gap),
        "margin": rule.margin,
        "alpha": prereg.alpha,
        "p_supported": verdict.p_supported,
        "p_refuted": verdict.p_refuted,
        "p_holm": verdict.p_holm,
        "mde80": verdict.mde80,
        "seeds_needed": verdict.seeds_needed,
        "overlap": None if gap is None else {k: list(v) for k, v in gap.overlap.items()},
        "weights": None if gap is None else dict(gap.weights),
        "notes": list(judgement.notes),
        "sensitivities": [
            {"name": name, "verdict": s.verdict.value, "reason": s.verdict.reason}
            | _gap_record(s.gap)
            for name, s in judgement.sensitivities.items()
        ],
        **({"multiverse": dict(multiverse)} if multiverse else {}),
        "prereg_sha256": prereg.sha256,
        **({"tuning": tuning_words.record(judgement.tuning, rule)} if rule.tuned else {}),
    }
