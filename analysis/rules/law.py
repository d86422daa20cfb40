"""What kinds of rules about laws share: error over all configurations of one regime."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from analysis.laws.points import Points, one_family, points_of
from analysis.rules.evidence import Evidence
from analysis.rules.kind import CellIds, Estimate, Judgement, Kind
from analysis.rules.phrases import bound_note, capitalised, effect, unsigned
from analysis.rules.planned import COST, PlannedStudy, ids_of, least_sufficient, planned_cost
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError


@dataclass(frozen=True, kw_only=True)
class NumberKind(Kind):
    """A rule whose effect is a plain number: a ratio, an exponent, a share.

    `quantity` says what the number is and, after a semicolon, its margin. `finding` is the sentence
    of a decided claim, `question` continues "It cannot be told whether". All may use {claim},
    {cost}, {margin}, {margin_percent}, {more} (or less), {more_slowly} (or faster), {value} with
    its sign and {size} without; the last two as the `format` of `phrases.effect` says. `share` says
    that it is a share of few steps, of which a mean with normal errors leaves [0, 1].
    """

    quantity: str
    finding: str
    question: str
    format: tuple[Any, ...] = (2,)
    share: bool = False

    keys: ClassVar[tuple[str, ...]] = ("cost", "margin", "regime")
    unit = "number"
    decided_by_seeds = False
    needs_many_configurations = True
    pictures: ClassVar[tuple[str, ...]] = ("laws", "frontier_flops", "verdicts")
    needs = "more configurations"

    @property
    def averaged(self) -> bool:
        return not self.share

    def line(self, j: Judgement, gap: Gap) -> str:
        interval = f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]{bound_note(gap)}"
        return f"{interval} ({self._quantity(j.rule)}; {gap.measure.at(j.epochs or 0)})"

    def sentence(self, j: Judgement, gap: Gap) -> str:
        open_ = j.verdict.value == "inconclusive"
        template = f"It cannot be told whether {self.question}" if open_ else self.finding
        text = template.format(
            claim=j.rule.claim,
            cost=ALL_COST_NAMES[j.rule.cost],
            margin=j.rule.margin,
            margin_percent=100 * j.rule.margin,
            more="more" if gap.estimate > 0 else "less",
            more_slowly="more slowly" if gap.estimate > 0 else "faster",
            value=f"{effect(gap, *self.format)}{bound_note(gap)}",
            size=f"{effect(unsigned(gap), *self.format)}{bound_note(unsigned(gap))}",
        )
        return capitalised(text)

    def contrasts(self, study: Evidence, rule: Rule, estimand: Estimand) -> tuple[Gap, ...]:
        return ()

    def measure(self, rule: Rule) -> str:
        return self._quantity(rule).split(";")[0]

    def signed(self, rule: Rule) -> str:
        return self.measure(rule)

    def _quantity(self, rule: Rule) -> str:
        return self.quantity.format(cost=ALL_COST_NAMES[rule.cost], margin=rule.margin)


@dataclass(frozen=True, kw_only=True)
class Law(NumberKind):
    """A rule about the configurations of one regime, as points of error over cost.

    `check(points)` raises InputError if they cannot test the rule; planning asks it too, so it must
    be fast. `judge(points, margin, alpha)` gives the effect with its 1 - alpha interval.
    """

    check: Callable[[Points], object]
    judge: Callable[[Points, float, float], Estimate]

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        points = self._points(self._regime(study.cells, rule), estimand.axis)
        try:
            return self.judge(points, rule.margin, study.alpha)
        except InputError as error:
            raise PreconditionError(str(error)) from None

    def planned_effect(self, plan: PlannedStudy, rule: Rule) -> None:
        # How configurations will scatter about a law is not known.
        self._points(self._regime(plan.cells, rule), plan.cost(rule))

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        """The cheapest configurations of the regime that suffice, and all of them."""
        regime = sorted(self._regime(study.cells, rule), key=planned_cost)
        self._points(StudyCells(regime), COST)
        count = least_sufficient(
            range(1, len(regime) + 1), lambda n: self._points(StudyCells(regime[: int(n)]), COST)
        )
        yield ids_of(regime[: int(count or len(regime))])
        yield ids_of(regime)

    def _regime(self, cells: StudyCells, rule: Rule) -> StudyCells:
        epochs = self.epochs(cells, rule)
        assert epochs is not None
        return cells.regime(epochs)

    def _points(self, regime: StudyCells, cost: str) -> Points:
        """The configurations of a regime; PreconditionError if they cannot test the rule."""
        if not regime.measure.log:
            raise PreconditionError(
                f"laws are about ln({regime.measure.name}), and this study compares raw differences"
            )
        if any(cell.error <= 0 for cell in regime):
            raise PreconditionError("a cell makes no errors, which has no logarithm")
        points = points_of(regime, cost, regime.noise(regime[0].epochs))
        try:
            one_family(regime)
            self.check(points)
        except InputError as error:
            raise PreconditionError(str(error)) from None
        return points
