"""Several claims at once: Holm's step-down correction, and Benjamini-Hochberg for explorations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.verdict import Verdict


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given (Holm 1979); they control the family-wise error."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


def holm(family: Mapping[str, Verdict], alpha: float) -> dict[str, Verdict]:
    """The family's verdicts with `p_holm`; one that the correction does not leave is inconclusive.

    Each claim enters with the one-sided p value of the side that it is nearer to; one that could
    not be tested is not in the family.
    """
    sides = {name: _side(v) for name, v in family.items() if v.value != "not_testable"}
    tested = {name: p for name, p in sides.items() if p is not None}
    adjusted = dict(zip(tested, holm_adjusted(list(tested.values())), strict=True))
    corrected = {}
    for name, p in adjusted.items():
        verdict = replace(family[name], p_holm=p)
        if verdict.value in ("supported", "refuted") and p > alpha / 2:
            reason = f"{verdict.value} by itself, but not among {len(tested)} headline claims"
            verdict = replace(verdict, value="inconclusive", reason=reason)
        corrected[name] = verdict
    return corrected


def _side(verdict: Verdict) -> float | None:
    sides = [p for p in (verdict.p_supported, verdict.p_refuted) if p is not None]
    return min(sides) if sides else None
