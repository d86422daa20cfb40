"""Verdicts as rows of a forest plot: every tested claim with its sensitivities."""

from collections.abc import Sequence

from analysis.rules.kind import Judgement
from analysis.rules.phrases import bound_note
from analysis.rules.registry import find_kind
from analysis.study.columns import Record


def verdict_records(judgements: Sequence[Judgement]) -> list[Record]:
    """A row per claim with an effect and per sensitivity, in the unit that `unit` names.

    `about` is what is measured or claimed. A claim whose sign is negative ("width beats depth")
    keeps its effect, and its margin has that sign.
    """
    rows: list[Record] = []
    for j in judgements:
        kind, attempts = find_kind(j.rule.kind), [("declared", j.gap, j.verdict)]
        attempts += [(name, s.gap, s.verdict) for name, s in j.sensitivities.items()]
        for variant, gap, verdict in attempts:
            if j.gap is None or gap is None:
                continue
            measure = gap.measure
            factors = {"number": 1.0, "percent": measure.gap_factor, "pp": measure.factor}
            factor = factors[kind.unit]
            values = {name: getattr(gap, name) for name in ("estimate", "low", "high")}
            values["margin"] = j.rule.sign * j.rule.margin
            rows.append(
                {"rule": j.rule.name, "variant": variant, "verdict": verdict.value}
                | {
                    "unit": kind.unit,
                    "about": f"{kind.measure(j.rule)}{bound_note(gap)}",
                }
                | {name: factor * value for name, value in values.items()}
            )
    return rows


def drawn(records: Sequence[Record]) -> list[Record]:
    """The records that a figure of verdicts shows something with.

    A claim whose interval is one point has no bar to see, and another way to ask that gives the
    same numbers says nothing.
    """
    claims = {r["rule"]: r for r in records if r["variant"] == "declared" and r["low"] < r["high"]}
    return [
        r
        for r in records
        if (claim := claims.get(r["rule"])) and (r is claim or _numbers(r) != _numbers(claim))
    ]


def _numbers(r: Record) -> tuple[str, ...]:
    return tuple(f"{r[name]:.3g}" for name in ("estimate", "low", "high"))
