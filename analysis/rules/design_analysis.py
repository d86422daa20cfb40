"""Design analysis: what a grid can decide before it is trained.

Every rule's preconditions are checked on planned cells, which have as many equal errors as planned
seeds, and the costs that are known without measuring. Where a rule's interval depends only on the
noise between seeds, the minimum detectable effect is computed too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from analysis.laws.preconditions import CHECKS, law_points
from analysis.rules.kinds.arms import difference, regime_noise, regimes_of
from analysis.rules.kinds.levels import in_regime, level_gap, regime_of
from analysis.rules.kinds.regret import common_ranges
from analysis.rules.pilot import TYPICAL_ERROR, Planning
from analysis.rules.rule import ONE_FAMILY, Preregistration, Rule
from analysis.stats.contrast import Estimand, Gap, gap_of
from analysis.stats.decision import mde80, seeds_needed
from analysis.study.arms import DeclaredBase
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import matches_of
from analysis.study.noise import Noise, prior_sd
from analysis.study.study_cells import StudyCells


@dataclass(frozen=True)
class Power:
    """Power of one rule's test with the planned seeds; all effects are relative errors.

    `mde80` is the minimum detectable effect in the claimed direction at 80 % power, None where it
    depends on more than the noise between seeds; `reason` is why the rule is not testable, empty if
    it is. `epochs` is None for a rule about several regimes. `error` and `seed_sd` are the assumed
    fractions, `source` the origin of the SD: a pilot, the rules, or a prior.
    """

    rule: str
    epochs: int | None
    margin: float
    alpha: float
    error: float = math.nan
    seed_sd: float = math.nan
    source: str = "prior"
    seeds: float = 0.0
    cells: int = 0
    se: float = math.nan
    df: float = math.nan
    mde80: float | None = None
    reason: str = ""

    @property
    def testable(self) -> bool:
        return not self.reason

    def seeds_for(self, effect: float) -> int | None:
        """Seeds per cell that support an effect with 80 % power; None if over 1000 or never."""
        if self.mde80 is None or effect <= self.margin:
            return None
        return seeds_needed(self.se, self.seeds, self.cells, effect - self.margin, self.alpha)


class _Design(NamedTuple):
    """Planned cells under the rules; `planning` has their assumed errors and noise."""

    cells: StudyCells
    prereg: Preregistration
    planning: Planning

    def typical(self, epochs: int) -> tuple[float, float, str]:
        """Assumed error and seed SD in one regime (fractions), and the origin of the SD."""
        error, measured = self.planning.get(epochs, (TYPICAL_ERROR, None))
        declared = self.prereg.seed_sd
        if isinstance(declared, float) and all(c.n == 1 for c in self.cells if c.epochs == epochs):
            return error, declared, "declared"
        if measured is not None:
            return error, measured, "pilot"
        n_val = self.cells[0].n_val
        assert n_val is not None
        return error, prior_sd(error, n_val), "prior"

    def noise(self, epochs: int) -> Noise:
        """The noise that the regime's seeds will measure, with the assumed SD."""
        noise = regime_noise(self.cells, self.prereg, epochs)
        _, sd, _ = self.typical(epochs)
        return replace(noise, variances=dict.fromkeys(noise.variances, sd**2))

    def cost(self, rule: Rule) -> str:
        """The rule's cost if it is known without measuring, else FLOPs."""
        return rule.cost if all(c.cost(rule.cost) for c in self.cells) else "flops"


# The planned gap (zero, with its SE) and its cells; None if the interval of the rule's effect
# depends on more than the noise between seeds.
Found = tuple[Gap, Sequence[Cell]] | None


def planned_cells(
    rows: Sequence[Mapping[str, Any]], planning: Planning, declared_base: DeclaredBase
) -> StudyCells:
    """Cells with as many equal errors as there are planned seeds."""
    errors = [planning.get(int(row["epochs"]), (TYPICAL_ERROR, None))[0] for row in rows]
    planned = ({**row, "val_error": e} for row, e in zip(rows, errors, strict=True))
    return StudyCells.of(planned, declared_base)


def _levels(design: _Design, rule: Rule) -> Found:
    matches = matches_of(in_regime(design.cells, rule), rule.along, rule.levels)
    members = [c for match in matches for c in (match.first, match.second)]
    noises = {e: design.noise(e) for e in {c.epochs for c in members}}
    return level_gap(matches, noises, Estimand("flops"), design.prereg.alpha), members


def _gap_in(design: _Design, rule: Rule, epochs: int) -> tuple[Gap, list[Cell]]:
    cells, prereg, cost = design.cells, design.prereg, design.cost(rule)
    pairs = cells.pairs(epochs, cost, rule.arms)
    noise = design.noise(epochs)
    gap = gap_of(pairs, noise, Estimand(cost), prereg.alpha, prereg.min_overlap)
    return gap, [c for pair in pairs for c in pair.cells]


def _arms(design: _Design, rule: Rule) -> Found:
    return _gap_in(design, rule, regimes_of(design.cells)[rule.regime == "longest"])


def _interaction(design: _Design, rule: Rule) -> Found:
    shorter, longer = (_gap_in(design, rule, epochs) for epochs in regimes_of(design.cells))
    gap = difference(longer[0], shorter[0], design.prereg.alpha)
    return gap, [*shorter[1], *longer[1]]


def _regret(design: _Design, rule: Rule) -> Found:
    common_ranges(design.cells, design.prereg, design.cost(rule), rule.arms)
    return None


def _law(design: _Design, rule: Rule) -> Found:
    epochs = regime_of(design.cells, rule)
    assert epochs is not None
    law_points(design.cells, rule.kind, epochs, design.cost(rule))
    return None


def _speed(design: _Design, rule: Rule) -> Found:
    raise PreconditionError(ONE_FAMILY)


KINDS = {
    "arms": _arms,
    "interaction": _interaction,
    "levels": _levels,
    "regret": _regret,
    "speed": _speed,
    **dict.fromkeys(CHECKS, _law),
}


def _epochs(cells: Sequence[Cell], rule: Rule) -> int | None:
    """The regime of a rule, None if it is about several."""
    one = rule.kind in ("arms", "levels", *CHECKS)
    return regime_of(cells, rule) if one else None


def _power(design: _Design, rule: Rule) -> Power:
    cells, prereg = design.cells, design.prereg
    epochs = _epochs(cells, rule)
    known = Power(rule.name, epochs, rule.margin, prereg.alpha)
    try:
        found = KINDS[rule.kind](design, rule)
    except PreconditionError as reason:
        return replace(known, reason=str(reason))
    if found is None:
        return known
    gap, members = found
    regimes = {c.epochs for c in members}
    error, sd, source = design.typical(max(regimes))
    return replace(
        known,
        error=error,
        seed_sd=sd,
        source=source,
        seeds=sum(c.n for c in members) / len(members),
        cells=sum(c.epochs in regimes for c in cells),
        se=gap.se,
        df=gap.df,
        mde80=mde80(gap.se, gap.df, rule.margin, prereg.alpha),
    )


def _composite(rule: Rule, parts: Mapping[str, Power], alpha: float) -> Power:
    """A rule of kind `all` is testable if all its parts are."""
    blocked = [name for name in rule.parts if not parts[name].testable]
    reason = f"{', '.join(blocked)} cannot be tested" if blocked else ""
    return Power(rule.name, None, rule.margin, alpha, reason=reason)


def decidable(
    rows: Sequence[Mapping[str, Any]], prereg: Preregistration, planning: Planning
) -> list[Power]:
    """What each rule can decide with the planned runs, in the order of the rules.

    Args:
        rows: one mapping per planned run with config_id, depth, width, resolution, epochs, seed,
            flops and n_val, as `analysis.study.compared_settings.told_apart` makes them.
        prereg: the rules.
        planning: error and seed SD (fractions) of a pilot by epochs; for other epochs the error is
            0.4 and the SD the prior sqrt(error / (2 n_val)).

    Raises:
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("no planned runs")
    design = _Design(planned_cells(rows, planning, prereg.base), prereg, planning)
    found = {rule.name: _power(design, rule) for rule in prereg.rules if rule.kind != "all"}
    for rule in prereg.rules:
        if rule.kind == "all":
            found[rule.name] = _composite(rule, found, prereg.alpha)
    return [found[rule.name] for rule in prereg.rules]


def describe(powers: Sequence[Power]) -> list[str]:
    """A line per rule with a known power, and one per reason for the others."""
    return list(_lines(powers))


def _lines(powers: Sequence[Power]) -> Iterator[str]:
    seen: set[str] = set()
    for power in powers:
        if power.mde80 is not None:
            yield line(power)
        elif power.reason not in seen:
            seen.add(power.reason)
            names = [p.rule for p in powers if p.mde80 is None and p.reason == power.reason]
            verdict = f"not testable: {power.reason}" if power.reason else "testable"
            yield f"{', '.join(names)}: {verdict}"


def line(power: Power) -> str:
    """What one rule can decide, in words."""
    head = f"{power.rule} ({power.epochs} epochs)" if power.epochs else power.rule
    if power.mde80 is None:
        return f"{head}: not testable: {power.reason}" if power.reason else f"{head}: testable"
    df = f"df {power.df:.0f}" if math.isfinite(power.df) else "seed noise not measured"
    return (
        f"{head}: decides effects of {100 * power.mde80:.1f} % (relative error) with 80 % power; "
        f"margin {100 * power.margin:g} %, SE {100 * power.se:.2f} %, {df}, "
        f"seed SD {100 * power.seed_sd:.1f} pp at {100 * power.error:.0f} % error ({power.source})"
    )
