"""One rule over all studies: effects of studies, of data sets, and random effects of these."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.meta_analysis.entries import Entry
from analysis.meta_analysis.estimand import estimand, refuse_mixed
from analysis.rules.kind import Judgement
from analysis.rules.registry import find_kind
from analysis.rules.rule import Rule, one_of
from analysis.stats.random_effects import Measured, RandomEffects, fixed_effect
from scaling_study.common.errors import InputError


@dataclass(frozen=True)
class Found:
    """The effect of a rule in one study; `length` is what it was trained for, in words."""

    study: str
    data_set: str
    length: str
    effect: Measured


@dataclass(frozen=True)
class PooledRule:
    """A rule's effects, in the unit that `factor` times them are in.

    `data_sets` are the effects of each: studies of one data set, which share its images, are
    several estimates of one effect. `together` is None where there is one data set alone.
    """

    rule: Rule
    about: str
    estimand: Mapping[str, str]
    studies: tuple[Found, ...]
    data_sets: Mapping[str, Measured]
    together: RandomEffects | None
    factor: float
    unit: str


def pool(entries: Sequence[Entry], names: Sequence[str] = ()) -> tuple[list[PooledRule], list[str]]:
    """Every rule with an effect in two studies or more, or those of `names`, and the other rules.

    A rule with parts has no effect of its own; its parts have. Shares are averaged by name alone.

    Raises:
        InputError: a rule that is not known or that fewer than two of the studies could test, or
            that is about different quantities.
    """
    known = dict.fromkeys(name for entry in entries for name in entry.judgements)
    pooled, rest = list[PooledRule](), list[str]()
    averaged = [name for name in known if find_kind(_rule(entries, name).kind).averaged]
    for name in names or averaged:
        one_of(name, known, "--rule")
        found = {entry: effect for entry in entries if (effect := _effect(entry, name))}
        if len(found) > 1:
            pooled.append(_pooled(name, found))
        elif parts := _parts(entries, name):
            if name in names:
                raise InputError(f"--rule {name}: it has no effect, {' and '.join(parts)} have")
        else:
            rest.append(f"{name} ({', '.join(entry.name for entry in found) or 'none'})")
    if not pooled or (names and rest):
        raise InputError(
            f"an effect in two of the studies is needed, and is in fewer of {', '.join(rest)}; "
            "`scaling-study report STUDY -o DIR --details` says why"
        )
    return pooled, rest


def measured(j: Judgement) -> Measured | None:
    """The effect with its standard error, before it is cut off at 0; None where it has none."""
    gap = j.gap
    if gap is None or not (math.isfinite(gap.se) and gap.se > 0):
        return None
    return Measured(gap.estimate if gap.uncut is None else gap.uncut, gap.se, gap.df)


def _parts(entries: Sequence[Entry], name: str) -> tuple[str, ...]:
    rule = _rule(entries, name)
    return find_kind(rule.kind).parts(rule)


def _rule(entries: Sequence[Entry], name: str) -> Rule:
    return next(e.judgements[name].rule for e in entries if name in e.judgements)


def _effect(entry: Entry, name: str) -> Measured | None:
    j = entry.judgements.get(name)
    return None if j is None else measured(j)


def _pooled(name: str, found: Mapping[Entry, Measured]) -> PooledRule:
    judgements = {entry: entry.judgements[name] for entry in found}
    about = {e.name: estimand(j, e.generalise) for e, j in judgements.items()}
    refuse_mixed(name, about)
    by_set: dict[str, list[Measured]] = {}
    for entry, effect in found.items():
        by_set.setdefault(entry.data_set, []).append(effect)
    data_sets = {data_set: fixed_effect(effects) for data_set, effects in by_set.items()}
    first = next(iter(judgements.values()))
    kind, measure = find_kind(first.rule.kind), first.rule.measure
    units = {
        "percent": (measure.gap_factor, measure.gap_unit),
        "pp": (measure.factor, f" {measure.difference_unit}".rstrip()),
        "number": (1.0, ""),
    }
    return PooledRule(
        first.rule,
        kind.signed(first.rule),
        next(iter(about.values())),
        tuple(Found(e.name, e.data_set, _length(judgements[e]), x) for e, x in found.items()),
        data_sets,
        RandomEffects(tuple(data_sets.values())) if len(data_sets) > 1 else None,
        *units[kind.unit],
    )


def _length(j: Judgement) -> str:
    return "" if j.epochs is None else j.rule.measure.at(j.epochs)
