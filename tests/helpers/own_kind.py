"""A rule kind of a user's own: the largest value of an axis errs less than the smallest."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from analysis.rules import phrases
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Effect, Judgement, Kind
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.matched_gap import matched_gap
from analysis.study.cells import Cell
from analysis.study.matched_cells import Match, matches_of
from scaling_study.common.errors import InputError


class Largest(Kind):
    """The effect is the mean relative error of the smallest over the largest, all else equal."""

    keys = ("axis", "regime", "margin")

    def options(self, declared: Mapping[str, Any], where: str) -> str:
        axis = declared.get("axis")
        if not isinstance(axis, str):
            raise InputError(f"{where}.axis: {axis!r} must name an axis")
        return axis

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        grid.check_setting(rule.options, f"{where}.axis")

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        matches = self._matches(study, rule)
        cells = [cell for match in matches for cell in (match.first, match.second)]
        noise = study.noise(cells[0].epochs)
        gap = matched_gap(matches, {cells[0].epochs: noise}, estimand, study.alpha)
        note = f"{len(matches)} pairs of the largest and the smallest {rule.options}"
        return Effect(gap, cells, len(noise.variances), (note,))

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        for match in self._matches(study, rule):
            yield frozenset((match.first.config_id, match.second.config_id))

    def side_of(self, cell: Cell, rule: Rule, base: Mapping[str, float]) -> str | None:
        return f"{rule.options} {cell.value(rule.options):g}"

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        sides: dict[str, list[str]] = {}
        for match in self._matches(study, rule):
            sides.setdefault("largest", []).append(match.first.config_id)
            sides.setdefault("smallest", []).append(match.second.config_id)
        return sides

    def measure(self, rule: Rule) -> str:
        return f"smallest over largest {rule.options}, less one"

    def line(self, j: Judgement, gap: Gap) -> str:
        return phrases.gap_line(j.rule, gap, f"gain of the largest {j.rule.options}")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        return f"The largest {j.rule.options} gains {phrases.relative_error(gap)}"

    def _matches(self, study: Evidence, rule: Rule) -> list[Match]:
        epochs = self.epochs(study.cells, rule)
        assert epochs is not None
        regime = study.cells.regime(epochs)
        values = sorted(cell.value(rule.options) for cell in regime)
        return matches_of(regime, rule.options, (values[-1], values[0]))


KIND = Largest()
