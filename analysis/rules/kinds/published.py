"""`published`: the error of one configuration is that which others have published, to a margin."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from analysis.rules import phrases
from analysis.rules.declared_interval import declared_interval
from analysis.rules.declared_settings import check_settings, settings_at
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Effect, Estimate, Judgement, Kind
from analysis.rules.planned import ids_of
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap, floor_effect, measure_of_gap, with_interval
from analysis.stats.decision import decide_equivalence
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Settings, has_settings
from scaling_study.common.errors import InputError


class Published(NamedTuple):
    """A published outcome, the mean of so many `runs`, and the settings of the cell that has it."""

    outcome: float
    runs: int
    at: Settings


class PublishedOutcome(Kind):
    """The effect is positive where ours is better; `Rule.options` are `Published`.

    The runs of the published mean are taken to scatter as ours do.
    """

    keys = ("published", "runs", "at", "regime", "cost", "margin")
    needs = "the one configuration that was published"

    def options(self, declared: Mapping[str, Any], where: str) -> Published:
        value, runs = declared.get("published"), declared.get("runs", 1)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < float(value or 0) < math.inf:
            raise InputError(f"{where}.published: {value!r} must be the published error, above 0")
        if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
            raise InputError(f"{where}.runs: {runs!r} must be the number of runs that it is of")
        return Published(float(value or 0), runs, settings_at(declared, where))

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        own: Published = rule.options
        check_settings(grid, own.at, where)

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        own: Published = rule.options
        cell = self._cell(study, rule)
        noise, measure = study.noise(cell.epochs), measure_of_gap([cell])
        unit = cell.error if measure.log else 1.0
        factor = (1 / cell.n + 1 / own.runs) / unit**2
        weights = {cell.config_id: -1.0}
        gap = Gap(
            estimate=measure.scaled(own.outcome) - measure.scaled(cell.error),
            se=math.nan,
            df=math.nan,
            low=math.nan,
            high=math.nan,
            level=unit,
            weights=weights,
            measure=measure,
            floor=floor_effect({cell.config_id: cell}, weights),
        )
        spread = noise.of_sum({cell.config_id: factor})
        gap = with_interval(gap, [spread], {}, math.inf, study.alpha)
        notes = (
            f"published {measure.shown(own.outcome)}, the mean of {own.runs} "
            f"{'run' if own.runs == 1 else 'runs'} that are taken to scatter as these",
            f"here {measure.shown(cell.error)}, the mean of {cell.n}; seed SD {noise.text}",
        )
        return Effect(gap, [cell], len(noise.variances), notes)

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        found = self.effect(study, rule, estimand)
        gap, notes = declared_interval(study, found.gap, found.cells, estimand, False)
        seeds, noisy = float(found.cells[0].n), found.noise_cells
        verdict = decide_equivalence(gap, rule.margin, study.alpha, seeds, noisy)
        return Estimate(gap, verdict, (*found.notes, *notes))

    def other_estimands(self, rule: Rule) -> Mapping[str, Estimand]:
        return {}

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        yield ids_of((self._cell(study, rule),))

    def topic(self, rule: Rule, epochs: int | None) -> str:
        return f"whether the {rule.measure.name} is the published one"

    def signed(self, rule: Rule) -> str:
        return f"{rule.measure.gap} of ours and the published one, above 0 where ours is better"

    def line(self, j: Judgement, gap: Gap) -> str:
        return phrases.gap_line(j.rule, gap, f"{gap.measure.gap}, published minus ours")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        own: Published = j.rule.options
        shown, margin = gap.measure.shown(own.outcome), gap.measure.size(j.rule.margin)
        side = "above" if gap.estimate < 0 else "below"
        size = phrases.relative_error(gap)
        start = f"The {gap.measure.name} lies {size} {side} the published {shown}"
        if j.verdict.value == "supported":
            return f"{start}, so within {margin} of it"
        if j.verdict.value == "refuted":
            return f"{start}, further than {margin}"
        return f"{start}; whether within {margin} of it cannot be told"

    def _cell(self, study: Evidence, rule: Rule) -> Cell:
        own: Published = rule.options
        epochs = self.epochs([*study.cells], rule)
        cells = [c for c in study.cells if c.epochs == epochs and has_settings(c, own.at)]
        if len(cells) != 1:
            raise PreconditionError(
                f"{len(cells)} configurations could be the published one; `at` names the settings "
                "that tell it from others"
            )
        return cells[0]


KIND = PublishedOutcome()
