"""Verdicts for people (lines) and for programs (JSON records)."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.contrast import Gap
from analysis.judge import Judgement, Sensitivity
from analysis.rules import COST_NAMES, Prereg


def percent(estimate: float, low: float, high: float) -> str:
    """A relative gap and its interval in percent, as in `+2.1 % [1.2, 3.0]`."""
    return f"{100 * estimate:+.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def winner(low: float, high: float) -> str:
    """Which arm is better, given the interval of their gap; neither if it contains zero."""
    if low <= 0 <= high:
        return "neither clearly better"
    return "depth better" if low > 0 else "width better"


def _df(gap: Gap) -> str:
    return f"df {gap.df:.0f}" if math.isfinite(gap.df) else "seed noise from a prior"


def line(judgement: Judgement, prereg: Prereg) -> str:
    """One line per verdict, the same wherever it is shown."""
    verdict, gap = judgement.verdict, judgement.gap
    head = f"{judgement.rule:<8}  {verdict.value}"
    mark = "  EXPLORATORY" if prereg.exploratory else ""
    if gap is None:
        return f"{head}{mark}  ({verdict.reason})"
    text = (
        f"{head}{mark}  {percent(gap.estimate, gap.low, gap.high)} "
        f"(relative error, {winner(gap.low, gap.high)} at equal "
        f"{COST_NAMES[judgement.cost]}, {judgement.epochs} epochs; "
        f"margin {100 * prereg.margin:g} %, {_df(gap)})"
    )
    if verdict.value == "refuted":
        text += f": {verdict.reason}"
    if verdict.value == "inconclusive":
        text += f": {verdict.reason}; {_seeds(judgement)}"
    return text


def _seeds(judgement: Judgement) -> str:
    needed = judgement.verdict.seeds_needed
    if needed is None:
        return "more than 1000 seeds per cell would be needed for an estimate this near the margin"
    return f"about {needed} seeds per cell would decide it if the estimate stays"


def lines(judgements: Sequence[Judgement], prereg: Prereg) -> list[str]:
    """All verdicts, then the rules they are judged by."""
    rules = f"rules     sha256 {prereg.sha256}"
    if prereg.exploratory:
        rules += f"; EXPLORATORY: {prereg.exploratory}"
    return [*(line(j, prereg) for j in judgements), rules]


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


def record(judgement: Judgement, prereg: Prereg) -> dict[str, Any]:
    """One verdict as JSON: estimates are relative errors, positive where depth is better.

    `df` is null where the seed noise is a prior; what does not apply is null.
    """
    verdict, gap = judgement.verdict, judgement.gap
    return {
        "claim": judgement.claim,
        "verdict": verdict.value,
        "reason": verdict.reason,
        "exploratory": bool(prereg.exploratory),
        "epochs": judgement.epochs,
        "cost": judgement.cost,
        **_gap_record(gap),
        "margin": prereg.margin,
        "alpha": prereg.alpha,
        "mde80": verdict.mde80,
        "seeds_needed": verdict.seeds_needed,
        "overlap": None if gap is None else {str(k): list(v) for k, v in gap.overlap.items()},
        "weights": None if gap is None else dict(gap.weights),
        "notes": list(judgement.notes),
        "sensitivities": [_sensitivity(s) for s in judgement.sensitivities],
        "prereg_sha256": prereg.sha256,
    }
