"""What kinds of rules about two arms share: one base, scaled along either of two axes."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.rules import phrases
from analysis.rules.declared_settings import check_settings, settings_at
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Kind
from analysis.rules.planned import COST, ids_of, least_sufficient, planned_cost
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap, check_overlap
from analysis.study.arms import Pair, arm_of
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Settings, has_settings, settings_text
from analysis.study.measure import Measure
from analysis.study.noise import Noise
from analysis.study.step_times import STEP_TIME


class TwoArms(Kind):
    """A rule about two arms: its sides, the cells that suffice, and other ways to compare."""

    keys = (*Kind.keys, "at")
    # Whether the arms are also compared with other interpolations and averages.
    interpolated: ClassVar[bool] = True
    needs = "two arms and two lengths of training"

    def options(self, declared: Mapping[str, Any], where: str) -> Any:
        """The settings `at` which arms are compared; None if the rule is about all."""
        return settings_at(declared, where) or None

    def at(self, rule: Rule) -> Settings:
        """The settings at which a rule compares its arms."""
        return rule.options or ()

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        check_settings(grid, self.at(rule), where)

    def epochs(self, cells: Sequence[Cell], rule: Rule) -> int | None:
        chosen = [cell for cell in cells if has_settings(cell, self.at(rule))]
        return super().epochs(chosen, rule) if chosen else None

    def where(self, rule: Rule) -> str:
        """The settings that a rule is about, behind a comma; empty if it is about all."""
        text = settings_text(self.at(rule))
        return f", {text.removeprefix('variant ')}" if text else ""

    def other_estimands(self, rule: Rule) -> Mapping[str, Estimand]:
        others = super().other_estimands(rule)
        if not self.interpolated:
            return others
        return {
            "piecewise-linear interpolation": Estimand(rule.cost, linear=True),
            **phrases.other_scale(rule),
            "at the top of the common cost range": Estimand(rule.cost, top=True),
            **others,
        }

    def other_bases(self, study: Evidence, rule: Rule) -> Iterator[Mapping[str, float]]:
        """The places of cells other than the base's from which both arms have a cell."""
        study = study.at(self.at(rule))
        base, (first, second) = study.cells.base(rule.arms), rule.arms
        places = {(cell.value(first), cell.value(second)) for cell in study.cells}
        for a, b in sorted(places - {(base[first], base[second])}):
            if any(p[1] == b and p[0] > a for p in places) and any(
                p[0] == a and p[1] > b for p in places
            ):
                yield {first: a, second: b}

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        """The config ids of each arm, the base in both."""
        study = study.at(self.at(rule))
        base = study.cells.base(rule.arms)
        arms = {c.config_id: arm_of(c, base) for c in study.cells}
        if not set(rule.arms) <= set(arms.values()):
            return {}
        return {
            f"{axis} arm": {key for key, arm in arms.items() if arm in ("base", axis)}
            for axis in rule.arms
        }

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        """Both arms at one setting of the other axes in the shortest and the longest regime.

        Each is given twice: its cheapest cells that share a sufficient range of cost, and all. A
        tuned rule needs all, and the ends at other learning rates.
        """
        study = study.at(self.at(rule))
        short, long = (
            {pair.label: pair for pair in study.cells.pairs(epochs, COST, rule.arms)}
            for epochs in study.regimes()
        )
        for label in short:
            if label in long:
                both = short[label], long[label]
                if rule.tuned:
                    yield ids_of((*(c for pair in both for c in pair.cells), *study.cells.tuning))
                    continue
                least = (_least(pair, study.prereg.min_overlap) for pair in both)
                yield ids_of(c for pair in least for c in pair.cells)
                yield ids_of(c for pair in both for c in pair.cells)


def noise_notes(gap: Gap, noise: Noise, cells: Sequence[Cell], cost: str) -> tuple[str, ...]:
    """How much seeds scatter in error, and how well the cost is known where it was measured."""
    return (
        f"seed SD {noise.text}",
        *moderation_note(noise, gap.measure),
        *_cost_note(gap, cells, cost),
    )


def _cost_note(gap: Gap, cells: Sequence[Cell], cost: str) -> tuple[str, ...]:
    """What measured costs rest on, and what their error adds to the interval."""
    factor, unit = gap.measure.gap_factor, gap.measure.gap_unit
    added = f"SE {factor * gap.cost_se:.3g}{unit}"
    times = [c.step_time for c in cells if c.step_time is not None]
    if cost != STEP_TIME or not times:
        text = f"{ALL_COST_NAMES[cost]} differs between seeds: {added} included"
        return (text,) if gap.cost_se else ()
    spread = 100 * max(t.log_se for t in times)
    texts = {
        "measured": "step times are exclusive measurements (measured.csv)",
        "regimes": "one step time per network, the geometric mean over training lengths and seeds",
        "seeds": "step times are means over seeds, and a drift that seeds share is not known",
    }
    return (f"{texts[times[0].source]}; known to {spread:.1f} % or better, which adds {added}",)


def moderation_note(noise: Noise, measure: Measure) -> tuple[str, ...]:
    """How the noise of single cells enters the interval; nothing where it was not measured."""
    if not noise.replicates:
        return ()
    sds = [math.sqrt(v) for v, _ in noise.replicates.values()]
    least, most = measure.spread(min(sds)), measure.spread(max(sds))
    return (
        f"the interval takes each cell's own noise ({least.split()[0]} to {most}), drawn "
        "towards the pooled one by half a degree of freedom (Welch-Satterthwaite)",
    )


def _least(pair: Pair, min_overlap: float) -> Pair:
    """The cheapest cells of both arms that share enough range of cost; else the whole pair."""
    costs = sorted({planned_cost(c) for c in pair.cells})

    def up_to(cost: float) -> Pair:
        first, second = (tuple(c for c in arm if planned_cost(c) <= cost) for arm in pair[1:])
        return Pair(pair.label, first, second)

    def check(cost: float) -> None:
        part = up_to(cost)
        if min(len(part.first), len(part.second)) < 2:
            raise PreconditionError("an arm is a curve through two cells or more")
        check_overlap([part], COST, min_overlap)

    found = least_sufficient(costs, check)
    return pair if found is None else up_to(found)
