"""`speed`: one family is cheaper than another at equal accuracy."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.laws.number import Number
from analysis.rules.declared_settings import TwoLevels, check_two_levels, level_names, two_levels
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Estimate
from analysis.rules.law import NumberKind
from analysis.rules.planned import PlannedStudy, ids_of
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import has_settings, setting_of

if TYPE_CHECKING:  # plans ask no frontier, and it loads much of scipy
    from analysis.stats.speedup import Family, Speedup

# A frontier has two ends.
FEWEST = 2
ELSEWHERE = "a study has one family; tables of two are judged by their own commands"
UNNAMED = "it names no two families, as `along: variant, levels: [A, B]` does"


class Speed(NumberKind):
    """The effect is the mean ratio of costs over the accuracies that both reach, less one.

    A rule names both families as two levels, the cheaper one first: `Rule.options` are `TwoLevels`.
    Without them it is about tables of two families, which have their own commands.
    """

    keys = ("regime", "along", "levels", "at", "cost", "margin")
    pictures = ("families", "verdicts")
    needs = "two families"

    def epochs(self, cells: Sequence[Cell], rule: Rule) -> int | None:
        return None if rule.options is None else super().epochs(cells, rule)

    def options(self, declared: Mapping[str, Any], where: str) -> TwoLevels | None:
        named = any(key in declared for key in ("along", "levels", "at"))
        return two_levels(declared, where) if named else None

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        if rule.options is not None:
            check_two_levels(grid, rule.options, where)

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        return {name: ids_of(cells) for name, cells in self.families(study.cells, rule).items()}

    def families(self, cells: Sequence[Cell], rule: Rule) -> dict[str, list[Cell]]:
        """The cells of both families, by their names.

        Raises:
            PreconditionError: the rule names none, or one has fewer than two configurations.
        """
        own: TwoLevels | None = rule.options
        if own is None:
            several = len({c.family for c in cells if c.family}) > 1
            raise PreconditionError(UNNAMED if several else ELSEWHERE)
        epochs = self.epochs(cells, rule)
        chosen = [c for c in cells if c.epochs == epochs and has_settings(c, own.at)]
        levels = zip(level_names(own.along, own.levels), own.levels, strict=True)
        found = {n: [c for c in chosen if setting_of(c, own.along) == v] for n, v in levels}
        for name, members in found.items():
            if (count := len(members)) < FEWEST:
                some = f"{count} configuration{'s' * (count != 1)}"
                raise PreconditionError(f"{name} has {some}; a frontier takes {FEWEST} or more")
        return found

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        from analysis.stats.speedup import speedup_of

        named = self.families(study.cells, rule)
        first, second = named
        a, b = (_family(study, cells, estimand.axis) for cells in named.values())
        try:
            found = speedup_of(a, b, 1 - study.alpha)
        except ValueError as error:
            raise PreconditionError(str(error)) from None
        notes = (
            f"{ALL_COST_NAMES[estimand.axis]} of {second} over that of {first} at equal accuracy: "
            f"{np.nanmin(found.ratio):.2f} to {np.nanmax(found.ratio):.2f}, over "
            f"{100 * found.share:.0f} % of the range of {second}; by monotone cubics "
            f"{found.smooth_mean:.2f} on average",
            *([f"not matched: {', '.join(found.outside)}"] if found.outside else ()),
        )
        return judged(found, rule.margin, 1 - study.alpha, notes)

    def planned_effect(self, plan: PlannedStudy, rule: Rule) -> None:
        # What networks will cost, and which accuracies both will reach, is not known.
        self.families(plan.cells, rule)

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        yield ids_of([c for cells in self.families(study.cells, rule).values() for c in cells])


def judged(
    found: Speedup, margin: float, confidence: float = 0.95, notes: tuple[str, ...] = ()
) -> Estimate:
    """The verdict on "the ratio of costs less one is above `margin`", on the scale of logarithms.

    The interval of `found` has this `confidence`.
    """
    low, middle, high = np.log([found.mean_low, found.mean, found.mean_high])
    se = float(high - low) / (2 * float(ndtri((1 + confidence) / 2)))
    away = float(middle) - math.log1p(margin)
    against = float(ndtr(away / se)) if se else float(away > 0)
    gain = Number(found.mean - 1, se, math.inf, found.mean_low - 1, found.mean_high - 1)
    return Estimate(gain.gap, gain.verdict(margin, against), notes)


def _family(study: Evidence, cells: Sequence[Cell], cost: str) -> Family:
    """A family as its cells measured it: means, and how well they are known.

    Raises:
        PreconditionError: a cost was not measured, an error has no logarithm, or nothing says how
            runs scatter.
    """
    from analysis.stats.speedup import Family

    own = replace(study, cells=study.cells.select(lambda c: c in cells))
    noise, costs = own.noise(cells[0].epochs), [c.cost(cost) for c in cells]
    if not cells[0].measure.log:
        raise PreconditionError("raw differences are compared, and accuracies need logarithms")
    if None in costs:
        raise PreconditionError(f"no {ALL_COST_NAMES[cost]} was measured of some configurations")
    ids, exact = [c.config_id for c in cells], np.zeros(len(cells))
    return Family(
        names=tuple(c.name for c in cells),
        cost=np.array(costs, dtype=float),
        error=np.array([c.error for c in cells]),
        cost_half=exact,
        error_half=exact,
        error_sd=np.sqrt([noise.variances[c.config_id] / c.n for c in cells]),
        error_df=min(noise.dfs[key] for key in ids),
        cost_cv=np.array([c.cost_log_se(cost) for c in cells]),
    )


KIND = Speed(
    quantity="cost of the other family over this one at equal accuracy, less one",
    finding="{claim}: by a factor of {value} in {cost}",
    question="{claim}: by a factor of {value} in {cost}",
    format=(2, 1.0, "", 1.0),
)
