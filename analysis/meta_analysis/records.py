"""What a summary found, as flat records for its figure and CSV, and as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.meta_analysis.entries import Entry
from analysis.meta_analysis.pool import PooledRule
from analysis.stats.random_effects import Measured, RandomEffects
from analysis.study.columns import Record

METHOD = (
    "tau: Paule-Mandel, interval Q-profile; mean: Hartung-Knapp-Sidik-Jonkman, k - 1 degrees of "
    "freedom, factor at least 1; new data set: confidence distribution of tau^2 (Nagashima, Noma & "
    "Furukawa 2019); studies of one data set: fixed effect with Meier's factor; all 95 %"
)


def records(pooled: Sequence[PooledRule]) -> list[Record]:
    """A record per row of the forest plot, in the unit that it names."""
    return [
        {"rule": p.rule.name, "about": p.about, "unit": p.unit.strip()}
        | {"row": row, "label": label}
        | {name: None if v is None else p.factor * v for name, v in values.items()}
        for p in pooled
        for row, label, values in rows(p)
    ]


def rows(p: PooledRule) -> list[tuple[str, str, dict[str, float | None]]]:
    """What each row is, how it is called, and its estimate with both ends of the interval."""
    found = list[tuple[str, str, dict[str, float | None]]]()
    for data_set, effect in p.data_sets.items():
        own = [s for s in p.studies if s.data_set == data_set]
        for s in own:
            where = ", ".join(filter(None, (data_set, s.length)))
            found.append(("study", f"{s.study} ({where})", _ends(s.effect)))
        if len(own) > 1:
            found.append(("data set", f"{data_set}, {len(own)} studies", _ends(effect)))
    if p.together is not None:
        label = f"mean over {len(p.data_sets)} data sets"
        found.append(("mean", label, _ends(p.together.mean)))
        if new := p.together.new:
            ends = {"estimate": None, "low": new[0], "high": new[1]}
            found.append(("new data set", "in a new data set", ends))
    return found


def _ends(effect: Measured) -> dict[str, float | None]:
    low, high = effect.interval
    return {"estimate": effect.estimate, "low": low, "high": high}


def content(
    entries: Sequence[Entry], pooled: Sequence[PooledRule], rest: Sequence[str]
) -> dict[str, Any]:
    """What summary.json holds: effects are relative errors, or in the outcome's own unit."""
    return {
        "method": METHOD,
        "studies": [
            {"name": e.name, "data_set": e.data_set, "runs": len(e.runs), "device": e.device}
            | {"exploratory": e.exploratory or None}
            for e in entries
        ],
        "rules": {p.rule.name: _rule(p) for p in pooled},
        "not_pooled": list(rest),
    }


def _rule(p: PooledRule) -> dict[str, Any]:
    return {
        "effect": p.about,
        "claim": p.rule.claim,
        "estimand": dict(p.estimand),
        "studies": [
            {"study": s.study, "data_set": s.data_set, "length": s.length or None}
            | _numbers(s.effect)
            for s in p.studies
        ],
        "data_sets": {name: _numbers(effect) for name, effect in p.data_sets.items()},
        **_together(p.together),
    }


def _together(r: RandomEffects | None) -> Mapping[str, Any]:
    if r is None:
        return dict.fromkeys(("mean", "tau", "new_data_set"))
    low, high = r.tau_interval
    known = r.new and {
        "low": r.new[0],
        "high": r.new[1],
        "confidence_above_0": 1 - r.share_below(0.0),
    }
    return {
        "mean": _numbers(r.mean),
        "tau": {"estimate": r.tau, "low": low, "high": high},
        "new_data_set": known,
    }


def _numbers(effect: Measured) -> dict[str, float | None]:
    df = effect.df if math.isfinite(effect.df) else None
    return {**_ends(effect), "se": effect.se, "df": df}
