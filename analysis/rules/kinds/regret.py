"""`regret`: error lost in the longest regime by choosing between two arms by the shortest."""

import math

from analysis.rules import phrases
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Estimate, Judgement
from analysis.rules.planned import PlannedStudy
from analysis.rules.rule import Rule
from analysis.rules.two_arms import TwoArms
from analysis.stats.contrast import Estimand, Gap, gap_of
from analysis.stats.decision import Verdict, value_of
from analysis.stats.regret import Common, Transfer, common_ranges, transfer_of
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.noise import Noise

# Regret needs a common range of cost (`common_ranges`), however small.
ANY_OVERLAP = 1.0


class Regret(TwoArms):
    """The effect is in units of the outcome, a fraction of error; 0 or more."""

    keys = ("arms", "at", "cost", "margin")
    one_regime = False
    unit = "pp"
    # The number of seeds that decides depends on both regimes.
    decided_by_seeds = False
    interpolated = False

    def planned_effect(self, plan: PlannedStudy, rule: Rule) -> None:
        # How the arms' curves will cross is not known.
        _common(plan.at(self.at(rule)), plan.cost(rule), rule.arms)

    def contrasts(self, study: Evidence, rule: Rule, estimand: Estimand) -> tuple[Gap, ...]:
        # The choice rests on the gap of short training, the loss on that of long training.
        study = study.at(self.at(rule))
        common, noises = _common(study, estimand.axis, rule.arms)
        regimes = [c.source for c in common.values()], [c.target for c in common.values()]
        return tuple(
            gap_of(pairs, noise, estimand, study.alpha, ANY_OVERLAP)
            for pairs, noise in zip(regimes, noises, strict=True)
        )

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        found = regret(study.at(self.at(rule)), estimand.axis, rule.margin, rule.arms)
        gap = found.regret
        verdict = Verdict(
            *value_of(gap.low, gap.high, rule.margin),
            p_supported=found.p_supported,
            p_refuted=found.p_refuted,
        )
        spread = rule.measure.spread
        each = ", ".join(f"{label}: {spread(value)}" for label, value in found.by_pair.items())
        ranks = ", ".join(f"{label}: {tau:.2f}" for label, tau in found.ranks.items())
        names, by = phrases.arm_names(rule), found.source_gap
        won = phrases.better_arm(by.low, by.high, names)
        open_ = (
            "; it does not decide, so both choices are covered" if by.low <= 0 <= by.high else ""
        )
        notes = (
            f"short training: {won}, {phrases.interval(by)}{open_}",
            f"if an arm is chosen at each cost by itself, by point estimates {each}",
            f"rank correlation of the regimes (Kendall): {ranks}",
            f"the better arm changes over {100 * found.flip_share:.0f} % of the common range of "
            "cost by point estimates",
        )
        return Estimate(gap, verdict, notes)

    def topic(self, rule: Rule, epochs: int | None) -> str:
        return f"what choosing by short training costs{self.where(rule)}"

    def signed(self, rule: Rule) -> str:
        what = f"{rule.measure.name} in long training of the arm that short training chooses"
        cost = f"{phrases.at_equal_cost(rule)}{self.where(rule)}"
        return f"{what}, minus the other's, {cost}; above 0 is lost"

    def line(self, j: Judgement, gap: Gap) -> str:
        factor, digits, unit = _scale(gap)
        ends = f"[{factor * gap.low:.{digits}f}, {factor * gap.high:.{digits}f}]"
        interval = f"{factor * gap.estimate:+.{digits}f}{unit} {ends}"
        lost = f"{gap.measure.name} lost {phrases.at_equal_cost(j.rule)}{self.where(j.rule)}"
        return (
            f"{interval}{phrases.bound_note(gap)} ({lost}; margin {factor * j.rule.margin:g}{unit})"
        )

    def sentence(self, j: Judgement, gap: Gap) -> str:
        first, second = phrases.arm_names(j.rule)
        choice = f"choosing between {first} and {second} by short training costs"
        where = f"in long training {phrases.at_equal_cost(j.rule)}{self.where(j.rule)}"
        (factor, digits, unit), name = _scale(gap), gap.measure.name
        unit = unit.replace("pp", "percentage points")
        lost = f"{phrases.effect(gap, digits, factor)}{unit}{phrases.bound_note(gap)}"
        if j.verdict.value == "inconclusive":
            least = f"more than {factor * j.rule.margin:g}{unit} of {name}"
            return f"It cannot be told whether {choice} {least} {where}: it costs {lost}"
        return f"{phrases.capitalised(choice)} {lost} of {name} {where}"


def _scale(gap: Gap) -> tuple[float, int, str]:
    """Factor, digits and unit, with a space before it, of what is lost of the outcome itself."""
    measure, half = gap.measure, gap.measure.factor * (gap.high - gap.low) / 2
    digits = 2 if measure.factor == 100 or half <= 0 else max(0, 1 - math.floor(math.log10(half)))
    return measure.factor, digits, f" {measure.difference_unit}".rstrip()


def regret(
    study: Evidence, cost: str, margin: float, arms: tuple[str, str] = DEPTH_WIDTH
) -> Transfer:
    """Regret of choosing between two arms by the shortest regime for the longest.

    Raises:
        PreconditionError: one regime only, no common arms or costs, too few seeds, or a cell
            without errors.
    """
    common, noises = _common(study, cost, arms)
    return transfer_of(common, noises, cost, study.alpha, margin)


def _common(
    study: Evidence, cost: str, arms: tuple[str, str]
) -> tuple[dict[str, Common], tuple[Noise, Noise]]:
    short, long = study.regimes()
    noises = study.noise(short), study.noise(long)
    source, target = (study.cells.pairs(epochs, cost, arms) for epochs in (short, long))
    return common_ranges(source, target, cost), noises


KIND = Regret()
