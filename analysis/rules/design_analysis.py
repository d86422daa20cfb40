"""Design analysis: what a grid can decide before it is trained.

Every rule's preconditions are checked on planned cells. Where a rule's interval depends only on
the noise between seeds, the minimum detectable effect is computed too.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.kind import CellIds
from analysis.rules.planned import (
    FORECAST,
    UNKNOWN,
    PlannedStudy,
    Planning,
    at_forecast_costs,
    planned_cells,
)
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.decision import NORMAL, averaged, df_per_seed, mde80, seeds_needed
from analysis.study.errors import PreconditionError
from analysis.study.measure import ERROR, Measure
from analysis.study.noise_prior import NoisePrior

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Power:
    """Power of one rule's test with the planned seeds; all effects are relative errors.

    `mde80` is the minimum detectable effect in the claimed direction at 80 % power, None where it
    depends on more than the noise between seeds; `reason` is why the rule is not testable, empty if
    it is. `epochs` is None for a rule about several regimes. `error` and `seed_sd` are the assumed
    fractions, `source` the origin of the SD: a pilot, the rules, or a prior. The SD may be another:
    its logarithm has the SD `spread`, over which power is averaged.
    """

    rule: str
    epochs: int | None
    margin: float
    alpha: float
    error: float = math.nan
    seed_sd: float = math.nan
    spread: float = 0.0
    source: str = "prior"
    seeds: float = 0.0
    cells: int = 0
    se: float = math.nan
    df: float = math.nan
    mde80: float | None = None
    reason: str = ""
    measure: Measure = ERROR

    @property
    def testable(self) -> bool:
        return not self.reason

    def seeds_for(self, effect: float) -> int | None:
        """Seeds per cell that support an effect with 80 % power; None if over 1000 or never."""
        if self.mde80 is None or effect <= self.margin:
            return None
        per_seed = df_per_seed(self.df, self.seeds, self.cells)
        se = self.se * averaged(self.spread)
        return seeds_needed(se, self.seeds, per_seed, effect - self.margin, self.alpha)


def decidable(
    rows: Rows, prereg: Preregistration, planning: Planning, prior: NoisePrior | None = None
) -> list[Power]:
    """What each rule can decide with the planned runs, in the order of the rules.

    `rows`, one per planned run, have config_id, depth, width, resolution, epochs, seed, flops and
    n_val, as `compared_settings.with_comparison_settings` makes them. For epochs that `planning`
    lacks the error is 0.4 and the SD that of `prior`, else of the published one. Where all rows
    forecast their step time, a rule that these times keep from a test is not testable. Without
    rows: ValueError.
    """
    if not rows:
        raise ValueError("no planned runs")

    def study(rows: Rows) -> PlannedStudy:
        cells = planned_cells(rows, planning, prereg.base, prereg.arms)
        return PlannedStudy(cells, prereg, planning, prior)

    plan, forecasts = study(rows), any(row.get(FORECAST) for row in rows)
    forecast = study(at_forecast_costs(rows)) if forecasts else plan
    parts = {rule.name: find_kind(rule.kind).parts(rule) for rule in prereg.rules}
    found = {
        rule.name: _power(plan, forecast, rule) for rule in prereg.rules if not parts[rule.name]
    }
    for rule in prereg.rules:
        if names := parts[rule.name]:
            blocked = [name for name in names if not found[name].testable]
            reason = f"{', '.join(blocked)} cannot be tested" if blocked else ""
            found[rule.name] = Power(rule.name, None, rule.margin, prereg.alpha, reason=reason)
    return [found[rule.name] for rule in prereg.rules]


def sufficient_cells(
    rows: Rows, prereg: Preregistration, planning: Planning
) -> list[list[CellIds]]:
    """For each rule alternative sets of cells, each sufficient to test it; empty without any."""
    study = Evidence(planned_cells(rows, planning, prereg.base, prereg.arms), prereg)
    found: list[list[CellIds]] = [[] for _ in prereg.rules]
    for rule, sets in zip(prereg.rules, found, strict=True):
        with suppress(PreconditionError):
            sets += dict.fromkeys(find_kind(rule.kind).sufficient_cells(study, rule))
    return found


def untestable_at_forecast(forecast: PlannedStudy, rule: Rule) -> str:
    """Why a rule that the plan could test is not testable at forecast step times; else empty.

    `forecast` is the plan of `at_forecast_costs`.
    """
    try:
        find_kind(rule.kind).planned_effect(forecast, rule)
    except PreconditionError as reason:
        return f"with forecast step times, {reason}"
    return ""


def _power(plan: PlannedStudy, forecast: PlannedStudy, rule: Rule) -> Power:
    kind, alpha = find_kind(rule.kind), plan.alpha
    epochs = kind.epochs(plan.cells, rule)
    known = Power(rule.name, epochs, rule.margin, alpha, measure=rule.measure)
    try:
        found = kind.planned_effect(plan, rule)
    except PreconditionError as reason:
        return replace(known, reason=str(reason))
    at_forecast = forecast.cost(rule) != plan.cost(rule)
    if at_forecast and (why := untestable_at_forecast(forecast, rule)):
        return replace(known, reason=why)
    if found is None:
        return known
    gap, regimes = found.gap, {c.epochs for c in found.cells}
    if any(plan.assumed(epochs).source == UNKNOWN for epochs in regimes):
        return replace(known, source=UNKNOWN)
    assumed = plan.assumed(max(regimes))
    spread = max(plan.assumed(epochs).spread for epochs in regimes)
    return replace(
        known,
        error=assumed.error,
        seed_sd=assumed.sd,
        spread=spread,
        source=assumed.source,
        seeds=sum(c.n for c in found.cells) / len(found.cells),
        cells=sum(c.epochs in regimes for c in plan.cells),
        se=gap.se,
        df=gap.df,
        mde80=mde80(gap.se * averaged(spread), gap.df, rule.margin, alpha),
    )


def describe(powers: Sequence[Power]) -> list[str]:
    """A line per rule with a known power, and one per reason for the others."""
    found: dict[str | Power, str] = {}
    for power in powers:
        if power.mde80 is None:
            names = [p.rule for p in powers if p.mde80 is None and p.reason == power.reason]
            verdict = f"not testable: {power.reason}" if power.reason else "testable"
            found[power.reason] = f"{', '.join(names)}: {verdict}"
        else:
            found[power] = line(power)
    return [*found.values()]


def line(power: Power) -> str:
    """What a rule with a known power can decide, in words."""
    assert power.mde80 is not None
    measure = power.measure
    head = f"{power.rule} ({measure.at(power.epochs)})" if power.epochs else power.rule
    df = f"df {power.df:.0f}" if math.isfinite(power.df) else "seed noise not measured"
    percent = measure.factor == 100
    sd = f"seed SD {100 * power.seed_sd:.1f} pp" if percent else _sd(power)
    if power.spread:
        low, high = (power.seed_sd * math.exp(s * NORMAL * power.spread) for s in (-1, 1))
        sd += f" ({100 * low:.1f} to {100 * high:.1f}, which the power is averaged over)"
    return (
        f"{head}: decides effects of {_effect(power, power.mde80, 1)} ({measure.gap}) with 80 % "
        f"power; margin {measure.size(power.margin)}, SE {_effect(power, power.se, 2)}, {df}, "
        f"{sd}{_level(power)} ({power.source})"
    )


def _effect(power: Power, value: float, digits: int) -> str:
    """An effect in its unit; raw differences with three digits."""
    measure = power.measure
    shown = measure.gap_factor * value
    return f"{f'{shown:.{digits}f}' if measure.log else f'{shown:.3g}'}{measure.gap_unit}"


def _sd(power: Power) -> str:
    return f"seed SD {power.measure.spread(power.seed_sd)}"


def _level(power: Power) -> str:
    """The outcome at which power is given, where it depends on that."""
    measure = power.measure
    if not measure.log:
        return ""
    if measure.factor == 100:
        return f" at {100 * power.error:.0f} % {measure.name}"
    return f" at {measure.shown(power.error)} of {measure.name}"
