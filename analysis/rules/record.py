"""Verdicts as JSON records."""

import math
from typing import Any

from analysis.rules.kind import Judgement
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Gap


def _gap_record(gap: Gap | None) -> dict[str, Any]:
    if gap is None:
        return dict.fromkeys(("estimate", "ci_low", "ci_high", "estimate_pp", "se", "df"))
    return {
        "estimate": gap.estimate,
        "ci_low": gap.low,
        "ci_high": gap.high,
        "estimate_pp": 100 * gap.estimate * gap.level,
        "se": gap.se,
        "df": gap.df if math.isfinite(gap.df) else None,
    }


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
        "sensitivities": [
            {"name": name, "verdict": s.verdict.value, "reason": s.verdict.reason}
            | _gap_record(s.gap)
            for name, s in judgement.sensitivities.items()
        ],
        "prereg_sha256": prereg.sha256,
    }
