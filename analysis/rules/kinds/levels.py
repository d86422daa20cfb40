"""`levels`: mean ln(error) of the second of two levels minus the first's, all else equal."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from analysis.rules import phrases
from analysis.rules.declared_settings import TwoLevels, check_two_levels, level_names, two_levels
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Effect, Judgement, Kind
from analysis.rules.level_effect import level_effect, pairs_of_levels
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import has_settings, setting_of, settings_text

# Costs of two cells this near each other, as a ratio, count as equal in words.
EQUAL = 1.2


class Levels(Kind):
    """The effect is positive where the first level is better; `Rule.options` are `TwoLevels`."""

    keys = ("sign", "regime", "along", "levels", "at", "cost", "margin")
    needs = "runs that differ in the levels alone"
    regimes = ("longest", "shortest", "every")
    default_regime = "every"
    pictures = ("waterfall", "steps", "main_effects", "verdicts")

    def options(self, declared: Mapping[str, Any], where: str) -> TwoLevels:
        return two_levels(declared, where)

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        check_two_levels(grid, rule.options, where)

    def side_of(self, cell: Cell, rule: Rule, base: Mapping[str, float]) -> str | None:
        own: TwoLevels = rule.options
        value = setting_of(cell, own.along)
        return _names(rule)[own.levels.index(value)] if value in own.levels else None

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        sides: dict[str, set[str]] = {}
        for cell in self._cells(study.cells, rule):
            if level := self.side_of(cell, rule, {}):
                sides.setdefault(level, set()).add(cell.config_id)
        return sides

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        return pairs_of_levels(self._cells(study.cells, rule), rule.options)

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        found = level_effect(study, self._cells(study.cells, rule), rule.options, estimand)
        if not (ratios := _cost_ratios(found.gap)):
            return found
        first, second = _names(rule)
        span = f"{min(ratios):.2f} to {max(ratios):.2f}"
        note = f"{ALL_COST_NAMES[estimand.axis]} of {second} over {first}: {span}"
        return replace(found, notes=(*found.notes, note))

    def other_estimands(self, rule: Rule) -> Mapping[str, Estimand]:
        return phrases.other_scale(rule)

    def topic(self, rule: Rule, epochs: int | None) -> str:
        where = f"at {rule.measure.at(epochs)} " if epochs else ""
        own: TwoLevels = rule.options
        at = f" with {settings_text(own.at)}" if own.at else ""
        if rows := rows_between(rule):
            return f"{where}what adding {rows.added} to {rows.base} does{at}"
        return where + " or ".join(_names(rule)) + at

    def signed(self, rule: Rule) -> str:
        first, second = _names(rule)
        length = "" if rule.regime == "every" else f" after the {rule.regime} training"
        return f"{rule.measure.gap}{length}, above 0 where {first} is better than {second}"

    def over(self, rule: Rule) -> str:
        own: TwoLevels = rule.options
        return own.along

    def line(self, j: Judgement, gap: Gap) -> str:
        rows = rows_between(j.rule)
        best = phrases.better_arm(gap.low, gap.high, rows.names if rows else _names(j.rule))
        what = rows.text if rows else _else_equal(j.rule, gap)
        return phrases.gap_line(
            j.rule, gap, f"{gap.measure.gap}, {best}{':' if rows else ''} {what}"
        )

    def sentence(self, j: Judgement, gap: Gap) -> str:
        if rows := rows_between(j.rule):
            return phrases.comparison(gap, rows.names, f"{phrases.capitalised(rows.text)}:")
        length = f" and {gap.measure.at(j.epochs)}" if j.epochs else ""
        start = phrases.capitalised(f"{_else_equal(j.rule, gap)}{length}")
        return phrases.comparison(gap, _names(j.rule), start)

    def _cells(self, cells: Sequence[Cell], rule: Rule) -> list[Cell]:
        """The cells of the regime, and of the other settings, that the rule is about."""
        own: TwoLevels = rule.options
        epochs = self.epochs(cells, rule)
        chosen = [c for c in cells if epochs in (None, c.epochs) and has_settings(c, own.at)]
        if not chosen:
            text = settings_text(own.at)
            raise PreconditionError(f"no run with {text}, where the rule is about")
        return chosen


class RowsBetween(NamedTuple):
    """The rows of cumulative variants that one level has and the other has not, in words.

    `base` is what these are `added` to; `names` are what the two levels are called then, in order.
    """

    added: str
    base: str
    names: tuple[str, str]

    @property
    def text(self) -> str:
        """What is compared, to begin a sentence with."""
        return f"{self.added}, added to {self.base}"


def rows_between(rule: Rule) -> RowsBetween | None:
    """What two rows of cumulative variants compare; None for levels of another kind."""
    own: TwoLevels = rule.options
    first, second = map(str, own.levels)
    for rows in rule.rows if own.along == "variant" else ():
        if first in rows and second in rows:
            before, after = sorted((rows.index(first), rows.index(second)))
            base = rows[before] + (" and the rows before it" if before else "")
            names = ("with", "without") if rows[after] == first else ("without", "with")
            return RowsBetween(phrases.listed(rows[before + 1 : after + 1]), base, names)
    return None


def _names(rule: Rule) -> tuple[str, str]:
    own: TwoLevels = rule.options
    return level_names(own.along, own.levels)


def _cost_ratios(gap: Gap) -> list[float]:
    """Cost of the second level over that of the first, in each match."""
    return [second / first for first, second in gap.overlap.values()]


def _else_equal(rule: Rule, gap: Gap) -> str:
    """What two levels have in common: a cost, where it is about the same, or other settings."""
    ratios = _cost_ratios(gap)
    equal = bool(ratios) and max(max(r, 1 / r) for r in ratios) <= EQUAL
    return phrases.at_equal_cost(rule) if equal else "with all else equal"


KIND = Levels()
