"""`level_interaction`: how two levels differ at one value of another setting, minus at another."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from analysis.rules import phrases
from analysis.rules.declared_settings import (
    LevelsBetween,
    check_levels_between,
    level_names,
    levels_between,
)
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Effect, Judgement, Kind
from analysis.rules.level_effect import level_effect, pairs_of_levels
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.gap_difference import difference
from analysis.study.cells import Cell
from analysis.study.matched_cells import setting_of


class LevelInteraction(Kind):
    """The effect of `levels` at the first value `between` minus that at the second.

    Seeds of both are independent, and each has a noise of its own. `Rule.options` are
    `LevelsBetween`.
    """

    keys = ("sign", "along", "levels", "by", "between", "at", "cost", "margin")
    one_regime = False
    needs = "runs that differ in both settings"
    pictures = ("interactions", "main_effects", "verdicts")

    def options(self, declared: Mapping[str, Any], where: str) -> LevelsBetween:
        return levels_between(declared, where)

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        check_levels_between(grid, rule.options, where)

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        own: LevelsBetween = rule.options
        parts = [study.at(own.at(level)) for level in own.between]
        first, second = (level_effect(p, [*p.cells], own.compared, estimand) for p in parts)
        gap = replace(difference(first.gap, second.gap, study.alpha), overlap={})
        notes = tuple(
            f"{name}: {phrases.interval(part.gap)}"
            for name, part in zip(_moderators(rule), (first, second), strict=True)
        )
        count = first.noise_cells + second.noise_cells
        return Effect(gap, [*first.cells, *second.cells], count, (*notes, *first.notes))

    def other_estimands(self, rule: Rule) -> Mapping[str, Estimand]:
        return phrases.other_scale(rule)

    def side_of(self, cell: Cell, rule: Rule, base: Mapping[str, float]) -> str | None:
        own: LevelsBetween = rule.options
        value = setting_of(cell, own.compared.along)
        levels = own.compared.levels
        return _levels(rule)[levels.index(value)] if value in levels else None

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        own: LevelsBetween = rule.options
        sides: dict[str, set[str]] = {}
        for level in own.between:
            for cell in study.at(own.at(level)).cells:
                if name := self.side_of(cell, rule, {}):
                    sides.setdefault(name, set()).add(cell.config_id)
        return sides

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        """A pair of cells at each value, and all pairs of both."""
        own: LevelsBetween = rule.options
        first, second = (
            [*pairs_of_levels([*study.at(own.at(level)).cells], own.compared)]
            for level in own.between
        )
        yield from (a | b for a, b in zip(first, second, strict=False))
        yield frozenset().union(*first, *second)

    def topic(self, rule: Rule, epochs: int | None) -> str:
        first, second = _moderators(rule)
        return f"whether {' or '.join(_levels(rule))} depends on {first} or {second}"

    def signed(self, rule: Rule) -> str:
        (first, second), (level, other) = _moderators(rule), _levels(rule)
        what = f"{rule.measure.gap}, {first} minus {second}"
        return f"{what}, above 0 where {level} gains more on {other} with {first}"

    def line(self, j: Judgement, gap: Gap) -> str:
        (first, second), (level, other) = _moderators(j.rule), _levels(j.rule)
        what = f"{gap.measure.gap} of {level} and {other}, {first} minus {second}"
        return phrases.gap_line(j.rule, gap, what)

    def sentence(self, j: Judgement, gap: Gap) -> str:
        (first, second), (level, other) = _moderators(j.rule), _levels(j.rule)
        more, less = phrases.better_first(gap, (first, second))
        size = phrases.relative_error(gap)
        if gap.low <= 0 <= gap.high:
            start = f"It cannot be told whether {level} gains more on {other}"
            return f"{start} with {first} or with {second}: {more} is ahead by {size}"
        return f"With {more} {level} gains {size} more on {other} than with {less}"


def _levels(rule: Rule) -> tuple[str, str]:
    own: LevelsBetween = rule.options
    return level_names(own.compared.along, own.compared.levels)


def _moderators(rule: Rule) -> tuple[str, str]:
    """Both values of the setting that the difference may depend on, in words."""
    own: LevelsBetween = rule.options
    return level_names(own.by, own.between)


KIND = LevelInteraction()
