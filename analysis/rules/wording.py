"""Verdicts for people (lines) and for programs (JSON records)."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.rules.judge import Judgement, Sensitivity
from analysis.rules.kinds.levels import equal_cost, level_names
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Gap
from analysis.stats.decision import UNDECIDED
from analysis.study.columns import ALL_COST_NAMES

LAW_WORDS = {
    "dispersion": "rank correlation of scatter about a law and {cost}; margin {margin:g}",
    "harm": "share of steps in width that raise the error; margin {margin:g}",
    "speed": "cost of the other family over this one at equal accuracy, less one",
    "departure": "change of the slope of ln(error) on ln({cost}); margin {margin:g}",
    "diminishing": (
        "return of resolution from 320 px on over that up to 160 px, per ln({cost}); less than "
        "{margin:g} claimed"
    ),
    "depth_first": (
        "return of depth minus that of resolution from 320 px on, per ln({cost}); margin {margin:g}"
    ),
    "slower": (
        "exponent of resolution in compound scaling minus that on the cheapest path in {cost}; "
        "margin {margin:g}"
    ),
}


def law_words(rule: Rule) -> str:
    """What the effect of a rule about laws is, and the margin it must pass."""
    return LAW_WORDS[rule.kind].format(cost=ALL_COST_NAMES[rule.cost], margin=rule.margin)


def percent(estimate: float, low: float, high: float) -> str:
    """A relative gap and its interval in percent, as in `+2.1 % [1.2, 3.0]`."""
    return f"{100 * estimate:+.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def winner(low: float, high: float, arms: tuple[str, str] = ("depth", "width")) -> str:
    """Which arm is better, given the interval of their gap; neither if it contains zero."""
    if low <= 0 <= high:
        return "neither clearly better"
    return f"{arms[0] if low > 0 else arms[1]} better"


def _df(gap: Gap) -> str:
    return f"df {gap.df:.0f}" if math.isfinite(gap.df) else "seed noise from a prior"


def _measured(judgement: Judgement, gap: Gap) -> str:
    """The effect with its interval, and what it is about."""
    rule = judgement.rule
    cost = f"at equal {ALL_COST_NAMES[rule.cost]}"
    if rule.kind == "regret":
        interval = f"{100 * gap.estimate:+.2f} pp [{100 * gap.low:.2f}, {100 * gap.high:.2f}]"
        return f"{interval} (error lost {cost}; margin {100 * rule.margin:g} pp)"
    if rule.kind in LAW_WORDS:
        interval = f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]"
        return f"{interval} ({law_words(rule)}; {judgement.epochs} epochs)"
    interval = percent(gap.estimate, gap.low, gap.high)
    margin = f"margin {100 * rule.margin:g} %, {_df(gap)}"
    if rule.kind == "interaction":
        return f"{interval} (gap of long minus gap of short training {cost}; {margin})"
    if rule.kind == "levels":
        best = winner(gap.low, gap.high, level_names(rule))
        return f"{interval} (relative error, {best} {else_equal(rule, gap)}; {margin})"
    best = winner(gap.low, gap.high, rule.arms)
    return f"{interval} (relative error, {best} {cost}, {judgement.epochs} epochs; {margin})"


def else_equal(rule: Rule, gap: Gap) -> str:
    """What two levels have in common: a cost, where it is the same, or all settings but one."""
    cost = f"at equal {ALL_COST_NAMES[rule.cost]}"
    return cost if equal_cost(gap) else "with all else equal"


def line(judgement: Judgement, prereg: Preregistration) -> str:
    """One line per verdict, the same wherever it is shown."""
    verdict, gap = judgement.verdict, judgement.gap
    head = f"{judgement.rule.name:<14}  {verdict.value}"
    head += "  EXPLORATORY" if prereg.exploratory else ""
    if gap is None:
        return f"{head}  ({verdict.reason})"
    text = f"{head}  {_measured(judgement, gap)}"
    if verdict.value == "refuted":
        text += f": {verdict.reason}"
    if verdict.value == "inconclusive":
        text += f": {verdict.reason}"
        about_seeds = verdict.reason == UNDECIDED and judgement.rule.kind not in LAW_WORDS
        text += f"; {seeds(judgement)}" if about_seeds else ""
    return text


def seeds(judgement: Judgement) -> str:
    """How many seeds would decide a claim whose interval contains the margin."""
    needed = judgement.verdict.seeds_needed
    if needed is None:
        return "more than 1000 seeds per cell would be needed for an estimate this near the margin"
    return f"about {needed} seeds per cell would decide it if the estimate stays"


def lines(judgements: Sequence[Judgement], prereg: Preregistration) -> list[str]:
    """All verdicts, then the rules they are judged by."""
    rules = f"{'rules':<14}  sha256 {prereg.sha256}"
    if prereg.exploratory:
        rules += f"; EXPLORATORY: {prereg.exploratory}"
    beyond = [j for j in judgements if _beyond_the_grid(j)]
    said = [line(j, prereg) for j in judgements if not _beyond_the_grid(j)]
    if beyond:
        names = ", ".join(j.rule.name for j in beyond)
        said.append(f"{'not testable':<14}  with this grid: {names} (the report says why)")
    return [*said, rules]


def _beyond_the_grid(judgement: Judgement) -> bool:
    """Laws need many configurations; that a study of two arms has few is no news of each."""
    return judgement.rule.kind in LAW_WORDS and judgement.verdict.value == "not_testable"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _gap_record(gap: Gap | None) -> dict[str, Any]:
    if gap is None:
        empty = ("estimate", "ci_low", "ci_high", "estimate_pp", "se", "df")
        return dict.fromkeys(empty)
    return {
        "estimate": gap.estimate,
        "ci_low": gap.low,
        "ci_high": gap.high,
        "estimate_pp": 100 * gap.estimate * gap.level,
        "se": gap.se,
        "df": _finite(gap.df),
    }


def _sensitivity(sensitivity: Sensitivity) -> dict[str, Any]:
    verdict = sensitivity.verdict
    record = {"name": sensitivity.name, "verdict": verdict.value, "reason": verdict.reason}
    return record | _gap_record(sensitivity.gap)


def record(judgement: Judgement, prereg: Preregistration) -> dict[str, Any]:
    """One verdict as JSON: effects are relative errors, positive where the first arm is better
    (a regret: fraction of error).

    `df` is null where the seed noise is a prior; what does not apply is null.
    """
    verdict, gap = judgement.verdict, judgement.gap
    return {
        "claim": judgement.rule.claim,
        "kind": judgement.rule.kind,
        "headline": judgement.rule.headline,
        "verdict": verdict.value,
        "reason": verdict.reason,
        "exploratory": bool(prereg.exploratory),
        "epochs": judgement.epochs,
        "cost": judgement.rule.cost,
        **_gap_record(gap),
        "margin": judgement.rule.margin,
        "alpha": prereg.alpha,
        "p_supported": verdict.p_supported,
        "p_refuted": verdict.p_refuted,
        "p_holm": verdict.p_holm,
        "mde80": verdict.mde80,
        "seeds_needed": verdict.seeds_needed,
        "overlap": None if gap is None else {k: list(v) for k, v in gap.overlap.items()},
        "weights": None if gap is None else dict(gap.weights),
        "notes": list(judgement.notes),
        "sensitivities": [_sensitivity(s) for s in judgement.sensitivities],
        "prereg_sha256": prereg.sha256,
    }
