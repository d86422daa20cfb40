"""Verdicts on intervals, and Holm's step-down correction for several claims at once."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import ndtr, ndtri, stdtr

from analysis.stats.contrast import Gap, t_quantile
from analysis.stats.root import root

Value = Literal["supported", "refuted", "inconclusive", "not_testable"]
POWER = 0.8
NORMAL = 1.959964
UNDECIDED = "the interval contains the margin"
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Verdict:
    """What the data say about "sign * gap > margin"; None is what does not apply.

    `p_supported` and `p_refuted` are one-sided p values for and against the claim, `p_holm` the
    smaller one after Holm's correction over the headline claims; `mde80` the least |gap| in the
    claimed direction that the same design would support with 80 % power; `seeds_needed` per cell,
    None also if more than 1000.
    """

    value: Value
    reason: str
    p_supported: float | None = None
    p_refuted: float | None = None
    p_holm: float | None = None
    mde80: float | None = None
    seeds_needed: int | None = None

    @property
    def decided(self) -> bool:
        """Whether the claim is supported or refuted."""
        return self.value in ("supported", "refuted")


def mde80(se: float, df: float, margin: float, alpha: float) -> float:
    """Least effect supported with 80 % power: margin + (t_{1-alpha/2} + t_{0.8}) SE."""
    return margin + (t_quantile(df, 1 - alpha / 2) + t_quantile(df, POWER)) * se


@lru_cache(maxsize=64)
def averaged(spread: float) -> float:
    """How many times larger an effect must be for 80 % power on average over unknown noise.

    ln(SD) is normal with SD `spread` about that of a known SD. By normal theory at 5 %; the
    intervals of `Noise.of_sum` with 2 to 10 seeds have 79.9 to 80.1 % power there by quadrature,
    for a spread up to 0.6.
    """
    if not spread:
        return 1.0
    nodes, weights = hermegauss(40)
    sds = np.exp(spread * nodes)

    def excess(effect: float) -> float:
        return float(weights @ ndtr(effect / sds - NORMAL)) / float(weights.sum()) - POWER

    known = NORMAL + float(ndtri(POWER))
    return root(excess, 0.0, 1e3 * known) / known


def df_per_seed(df: float, seeds: float, cells: int) -> float:
    """Degrees of freedom that each seed per cell after the first adds.

    By those that `seeds` gave; where they measured none, as many as the `cells` that will.
    """
    return df / (seeds - 1) if seeds > 1 and math.isfinite(df) else float(cells)


def seeds_needed(
    se: float, seeds: float, per_seed: float, distance: float, alpha: float, fixed: float = 0.0
) -> int | None:
    """Least seeds per cell that decide a gap `distance` away from the margin with 80 % power.

    `se` is the standard error at `seeds` seeds per cell; it falls with the root of the seeds, but
    for its part `fixed`, and the degrees of freedom are `per_seed` * (seeds - 1). None if more than
    1000 are needed.
    """
    falls = math.sqrt(max(se**2 - fixed**2, 0.0) * seeds)

    def enough(n: int) -> bool:
        at_n = math.hypot(falls / math.sqrt(n), fixed)
        # Just enough is enough, whichever way a machine rounds the last digits.
        return mde80(at_n, per_seed * (n - 1), 0.0, alpha) <= distance * (1 + 1e-9)

    # More seeds never need a larger effect, so the least number is found by bisection.
    counts = range(2, MOST_SEEDS + 1)
    at = bisect_left(counts, True, key=enough)
    return counts[at] if at < len(counts) else None


def decide(gap: Gap, sign: int, margin: float, alpha: float, seeds: float, cells: int) -> Verdict:
    """Judge "sign * gap > margin" by the two-sided 1 - alpha interval of the gap.

    `seeds` per cell and the number of `cells` that give the noise say how many seeds are missing.
    """
    low, high = sorted((sign * gap.low, sign * gap.high))
    distance = sign * gap.estimate - margin
    value, reason = value_of(low, high, margin)
    per_seed = df_per_seed(gap.df, seeds, cells)
    # More seeds of a study share the drift of its step times, its images and its floor.
    fixed = math.hypot(gap.cost_se, gap.population_se, gap.floor)
    more = seeds_needed(gap.se, seeds, per_seed, abs(distance), alpha, fixed)
    return Verdict(
        value,
        reason,
        p_supported=float(stdtr(min(gap.df, 1e9), -distance / gap.se)),
        p_refuted=float(stdtr(min(gap.df, 1e9), distance / gap.se)),
        mde80=mde80(gap.se, gap.df, margin, alpha),
        seeds_needed=more if value == "inconclusive" else None,
    )


def decide_equivalence(gap: Gap, margin: float, alpha: float, seeds: float, cells: int) -> Verdict:
    """Judge "|gap| < margin" by the 1 - alpha interval: two one-sided tests at alpha / 2 each.

    Supported where the interval lies within the margins, refuted where it lies outside (Schuirmann
    1987). `seeds` and `cells` as in `decide`.
    """
    df, room = min(gap.df, 1e9), margin - abs(gap.estimate)
    fixed = math.hypot(gap.cost_se, gap.population_se, gap.floor)
    per_seed = df_per_seed(gap.df, seeds, cells)
    more = seeds_needed(gap.se, seeds, per_seed, abs(room), alpha, fixed)
    value: Value
    if -margin < gap.low and gap.high < margin:
        value, reason = "supported", "the interval lies within the margins"
    elif gap.low > margin or gap.high < -margin:
        value, reason = "refuted", "the interval lies beyond a margin"
    else:
        value, reason = "inconclusive", UNDECIDED
    return Verdict(
        value,
        reason,
        p_supported=float(stdtr(df, -room / gap.se)),
        p_refuted=float(stdtr(df, room / gap.se)),
        seeds_needed=more if value == "inconclusive" else None,
    )


def value_of(low: float, high: float, margin: float) -> tuple[Value, str]:
    """The verdict on "effect > margin" by the effect's interval, and its reason."""
    if low > margin:
        return "supported", "the interval lies beyond the margin"
    if high < -margin:
        return "refuted", "reversed: the opposite holds beyond the margin"
    if high < margin and low >= -margin:
        return "refuted", "negligible: the interval lies within the margins"
    if high < margin:
        return "refuted", "below_margin: the interval lies below the margin"
    return "inconclusive", UNDECIDED


def combine(parts: Sequence[tuple[str, Verdict]], alpha: float) -> Verdict:
    """Judge a claim that needs every part: intersection-union test, refutation by Holm (1979).

    All parts supported: supported, each at full level. One refuted at its Holm level: refuted.
    """
    support = [v.p_supported for _, v in parts if v.p_supported is not None]
    for_all = max(support) if len(support) == len(parts) else None
    if all(v.value == "supported" for _, v in parts):
        return Verdict("supported", "every part is supported", p_supported=for_all)
    against = [(v.p_refuted, name) for name, v in parts if v.p_refuted is not None]
    p, name = min(against, default=(1.0, ""))
    refute = min(1.0, p * len(parts))
    if refute <= alpha / 2:
        return Verdict("refuted", f"{name} is refuted", p_supported=for_all, p_refuted=refute)
    if blocked := [name for name, v in parts if v.value == "not_testable"]:
        return Verdict("not_testable", f"{', '.join(blocked)} could not be tested")
    words = {"inconclusive": "not decided", "refuted": f"refuted, but not as one of {len(parts)}"}
    reason = ", ".join(f"{name} {words[v.value]}" for name, v in parts if v.value in words)
    return Verdict("inconclusive", reason, p_supported=for_all, p_refuted=refute)


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
    sides = {
        n: (v.p_supported, v.p_refuted) for n, v in family.items() if v.value != "not_testable"
    }
    known = {name: [p for p in both if p is not None] for name, both in sides.items()}
    tested = {name: min(p_values) for name, p_values in known.items() if p_values}
    corrected = {}
    for name, p in zip(tested, holm_adjusted(list(tested.values())), strict=True):
        verdict = replace(family[name], p_holm=p)
        if verdict.value in ("supported", "refuted") and p > alpha / 2:
            reason = f"{verdict.value} by itself, but not among {len(tested)} headline claims"
            verdict = replace(verdict, value="inconclusive", reason=reason)
        corrected[name] = verdict
    return corrected
