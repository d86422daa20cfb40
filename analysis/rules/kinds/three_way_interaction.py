"""`three_way_interaction`: the interaction of arms and length at one level, minus at another."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from analysis.rules import phrases
from analysis.rules.declared_settings import TwoLevels, check_two_levels, level_names, two_levels
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.kind import CellIds, Effect, Judgement
from analysis.rules.length_interaction import length_interaction
from analysis.rules.rule import Rule
from analysis.rules.two_arms import TwoArms
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.gap_difference import difference
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Settings

# Images that count as equally many, as a ratio: epochs are whole.
EQUAL = 1.02


class ThreeWayInteraction(TwoArms):
    """The effect is the `interaction` at the first level minus that at the second.

    Each level has its own shortest and longest regime, of as many images seen: with other numbers
    of images an epoch has other lengths.
    """

    keys = ("sign", "arms", "along", "levels", "at", "cost", "margin")
    one_regime = False
    needs = "two arms and two lengths of training at two levels of a setting"

    def options(self, declared: Mapping[str, Any], where: str) -> TwoLevels:
        return two_levels(declared, where)

    def at(self, rule: Rule) -> Settings:
        own: TwoLevels = rule.options
        return own.at

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        check_two_levels(grid, rule.options, where)

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        parts = _parts(study, rule)
        first, second = (length_interaction(part, rule, estimand) for part in parts)
        _require_equal_lengths(parts, rule)
        gap = difference(first.gap, second.gap, study.alpha)
        cells = [*first.cells, *second.cells]
        notes = tuple(
            f"{name}: {phrases.interval(part.gap)}; {text}"
            for name, part in zip(_names(rule), (first, second), strict=True)
            for text in part.notes[:1]
        )
        count = first.noise_cells + second.noise_cells
        return Effect(gap, cells, count, (*notes, *first.notes[1:]))

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        """Both arms at both levels."""
        found = [super(ThreeWayInteraction, self).sides(part, rule) for part in _parts(study, rule)]
        return {side: {*found[0][side], *found[1][side]} for side in found[0] if side in found[1]}

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        """What suffices at each level, the cheapest of both together, then all of both."""
        parts = [
            super(ThreeWayInteraction, self).sufficient_cells(p, rule) for p in _parts(study, rule)
        ]
        yield from (first | second for first, second in zip(*parts, strict=False))

    def topic(self, rule: Rule, epochs: int | None) -> str:
        first, second = _names(rule)
        arm = phrases.arm_names(rule)[0]
        return f"whether {arm} gains more with length with {first} than with {second}"

    def signed(self, rule: Rule) -> str:
        (first, second), (arm, other) = _names(rule), phrases.arm_names(rule)
        what = f"{rule.measure.gap} {phrases.at_equal_cost(rule)}, longest minus shortest training"
        return f"{what}, above 0 where {arm} gains more on {other} with {first} than with {second}"

    def line(self, j: Judgement, gap: Gap) -> str:
        first, second = _names(j.rule)
        what = f"gap of long minus gap of short training {phrases.at_equal_cost(j.rule)}"
        return phrases.gap_line(j.rule, gap, f"{what}, {first} minus {second}")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        (first, second), (arm, other) = _names(j.rule), phrases.arm_names(j.rule)
        start = "From the shortest to the longest training"
        cost, size = phrases.at_equal_cost(j.rule), phrases.relative_error(gap)
        more, less = (first, second) if gap.estimate > 0 else (second, first)
        if gap.low <= 0 <= gap.high:
            either = f"it cannot be told {cost} whether {arm} gains more on {other}"
            return f"{start} {either} with {first} or with {second}: {more} is ahead by {size}"
        return f"{start} {arm} gains {size} more on {other} {cost} with {more} than with {less}"


def _parts(study: Evidence, rule: Rule) -> tuple[Evidence, Evidence]:
    """The study at either level."""
    own: TwoLevels = rule.options
    first, second = (study.at((*own.at, (own.along, level))) for level in own.levels)
    return first, second


def _names(rule: Rule) -> tuple[str, str]:
    own: TwoLevels = rule.options
    return level_names(own.along, own.levels)


def _require_equal_lengths(parts: tuple[Evidence, Evidence], rule: Rule) -> None:
    """PreconditionError unless short and long training see as many images at both levels."""
    for at, length in enumerate(("short", "long")):
        cells = (part.cells.regime(part.regimes()[at])[0] for part in parts)
        seen = [cell.images_seen or 0.0 for cell in cells]
        if min(seen) and max(seen) > EQUAL * min(seen):
            each = zip(seen, _names(rule), strict=True)
            texts = " and ".join(f"{images:,.0f} with {name}" for images, name in each)
            raise PreconditionError(f"{length} training has different lengths, in images: {texts}")


KIND = ThreeWayInteraction()
