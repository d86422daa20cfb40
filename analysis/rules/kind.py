"""A kind of rules: all that differs between kinds, as one value.

A kind is a module that declares an instance of `Kind` as KIND: one of `analysis/rules/kinds`, or a
user's own, named in a rule by its import path (`kind: my_rules.my_kind`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from analysis.rules import phrases
from analysis.rules.declared_interval import declared_interval
from analysis.rules.evidence import Evidence
from analysis.rules.grid_names import GridNames
from analysis.rules.planned import PlannedStudy
from analysis.rules.rule import Rule
from analysis.rules.tuned import limited
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.decision import MOST_SEEDS, Verdict, decide
from analysis.stats.tuning import Tuning
from analysis.study.arms import arm_of
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES, COST_NAMES

# Config ids of cells that suffice to test a rule.
CellIds = frozenset[str]


@dataclass(frozen=True)
class Effect:
    """The effect that a rule is about, positive where the first of two sides is better.

    `cells` are those compared, `noise_cells` the number of cells that give the noise; `notes` are
    for the report. `tuning` says what best learning rates have changed, where a rule asks for them.
    """

    gap: Gap
    cells: Sequence[Cell]
    noise_cells: int
    notes: tuple[str, ...] = ()
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Estimate:
    """A measured effect, the verdict on the claim about it, and notes for the report.

    `gap` is None where the effect could not be measured.
    """

    gap: Gap | None
    verdict: Verdict
    notes: tuple[str, ...] = ()
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Judgement:
    """A rule, what was measured and the verdict; a rule about other rules has no gap of its own.

    `epochs` is the regime that the claim is about, None if it is about several; `sensitivities` are
    answers to the same question asked in other ways, which their names say.
    """

    rule: Rule
    verdict: Verdict
    epochs: int | None = None
    gap: Gap | None = None
    notes: tuple[str, ...] = ()
    sensitivities: Mapping[str, Estimate] = field(default_factory=dict)
    tuning: Tuning | None = None


class Kind:
    """What a rule of one kind declares, needs, estimates, and how its verdict is worded.

    A kind must define `effect`, or else `parts`, `combined` and `combined_sentence`. The other
    defaults suit a claim about the relative error of two sides.
    """

    # Keys that a rule of this kind may declare, besides those of all (`preregistration.COMMON`).
    keys: ClassVar[tuple[str, ...]] = ("sign", "regime", "arms", "cost", "margin")
    # Accepted values of the key `regime`, and its default.
    regimes: ClassVar[tuple[str, ...]] = ("longest", "shortest")
    default_regime: ClassVar[str] = "longest"
    # Whether the claim is about the one regime that `regime` names.
    one_regime: ClassVar[bool] = True
    # The unit of the effect: that of the study's comparisons (percent of error), that of its
    # outcome (percentage points of error), or a plain number.
    unit: ClassVar[Literal["percent", "pp", "number"]] = "percent"
    # Whether more seeds per cell decide a claim whose interval contains the margin.
    decided_by_seeds: ClassVar[bool] = True
    # What a grid that cannot test such a claim lacks, in words after "need".
    needs: ClassVar[str] = "other cells"
    # Figures in which such a claim is seen, the first that a study has: patterns of their names.
    pictures: ClassVar[tuple[str, ...]] = ("arms_*", "steps", "main_effects", "verdicts")
    # Whether small studies list such claims on one line as not testable.
    needs_many_configurations: ClassVar[bool] = False

    @property
    def averaged(self) -> bool:
        """Whether a summary of studies averages its effects unasked (analysis/meta_analysis)."""
        return True

    def options(self, declared: Mapping[str, Any], where: str) -> Any:
        """The values of the kind's own keys in a declaration: `Rule.options`.

        Raises:
            InputError: a value that makes no sense; the message names `where` and the key.
        """

    def check_names(self, rule: Rule, grid: GridNames, where: str) -> None:
        """Raises InputError if the rule names a setting or value that the grid does not have."""

    def epochs(self, cells: Sequence[Cell], rule: Rule) -> int | None:
        """The regime that the claim is about; None if it is about several."""
        if not self.one_regime:
            return None
        regimes = {c.epochs for c in cells}
        if rule.regime == "every":
            return regimes.pop() if len(regimes) == 1 else None
        return max(regimes) if rule.regime == "longest" else min(regimes)

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        """The effect in measured or planned cells; PreconditionError if they cannot test a rule."""
        raise NotImplementedError

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        """The effect in measured cells and the verdict; raises as `effect`."""
        found = self.effect(study, rule, estimand)
        seeds = sum(c.n for c in found.cells) / len(found.cells)
        alpha, tuned = study.alpha, found.tuning is not None
        gap, notes = declared_interval(study, found.gap, found.cells, estimand, tuned)
        verdict = decide(gap, rule.sign, rule.margin, alpha, seeds, found.noise_cells)
        limits = limited(verdict, found.tuning)
        return Estimate(gap, limits, (*found.notes, *notes), found.tuning)

    def other_estimands(self, rule: Rule) -> Mapping[str, Estimand]:
        """Other ways to ask the same question, by what differs in words."""
        others = (cost for cost in COST_NAMES if cost != rule.cost)
        return {f"at equal {ALL_COST_NAMES[cost]}": Estimand(cost) for cost in others}

    def other_bases(self, study: Evidence, rule: Rule) -> Iterator[Mapping[str, float]]:
        """Other cells from which the same comparison could start, by their values on its axes."""
        return iter(())

    def planned_effect(self, plan: PlannedStudy, rule: Rule) -> Effect | None:
        """The effect with the SE that the plan will give it; raises as `effect`.

        None where the rule is testable, but its interval depends on more than seed noise.
        """
        return self.effect(plan, rule, Estimand(plan.cost(rule)))

    def contrasts(self, study: Evidence, rule: Rule, estimand: Estimand) -> tuple[Gap, ...]:
        """The contrasts of cells, planned or measured, that the rule rests on; raises as `effect`.

        Seeds are spread over cells for them. Empty where the interval is no contrast's.
        """
        gap = self.effect(study, rule, estimand).gap
        return (gap,) if gap.weights else ()

    def sufficient_cells(self, study: Evidence, rule: Rule) -> Iterator[CellIds]:
        """Alternative sets of planned cells, each sufficient to test the rule."""
        return iter(())

    def parts(self, rule: Rule) -> tuple[str, ...]:
        """Names of the rules whose verdicts decide this one; empty if runs decide it."""
        return ()

    def combined(self, rule: Rule, parts: Mapping[str, Verdict], alpha: float) -> Verdict:
        """The verdict on a rule with `parts`, by theirs."""
        raise NotImplementedError

    def side_of(self, cell: Cell, rule: Rule, base: Mapping[str, float]) -> str | None:
        """The side of the comparison that a cell is on, in words; None for neither."""
        return arm_of(cell, base)

    def sides(self, study: Evidence, rule: Rule) -> Mapping[str, Collection[str]]:
        """The config ids of each side that the rule compares, by name; empty without sides."""
        return {}

    def claim(self, rule: Rule) -> str:
        """The claim as the report shows it with the verdict."""
        return rule.claim

    def topic(self, rule: Rule, epochs: int | None) -> str:
        """What the claim is about in few words, which do not say who is right."""
        return rule.claim

    def decided_by(self, j: Judgement) -> str:
        """What would decide a claim whose interval contains the margin."""
        if not self.decided_by_seeds:
            return "more configurations" if self.needs_many_configurations else "more seeds"
        if (needed := j.verdict.seeds_needed) is None:
            return f"more than {MOST_SEEDS} seeds per cell, or more cells,"
        return f"about {needed} seeds per cell"

    def over(self, rule: Rule) -> str:
        """The cost, axis or setting over which runs show the claim."""
        return rule.cost

    def measure(self, rule: Rule) -> str:
        """What the effect is, as the figure of verdicts writes it."""
        return rule.claim

    def signed(self, rule: Rule) -> str:
        """What the effect is, and what it says where it is above 0."""
        what = f"{rule.measure.gap} {phrases.at_equal_cost(rule)}"
        return f"{what}, above 0 where the first side is better"

    def line(self, j: Judgement, gap: Gap) -> str:
        """The effect with its interval, and in brackets what it is, for one line of text."""
        return phrases.gap_line(j.rule, gap, f"{gap.measure.gap} {phrases.at_equal_cost(j.rule)}")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        """What was found, for readers who do not know the rules."""
        digits = gap.measure.digits((gap.high - gap.low) / 2)
        size = phrases.effect(gap, digits, gap.measure.gap_factor, gap.measure.gap_unit)
        return f"{phrases.capitalised(j.rule.claim)}: by {size}"

    def combined_sentence(self, j: Judgement) -> str:
        """What was found about a rule with `parts`."""
        raise NotImplementedError
