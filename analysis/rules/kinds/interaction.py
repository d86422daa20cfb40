"""`interaction`: the gap between two arms in the longest regime minus that in the shortest."""

from analysis.rules import phrases
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Effect, Judgement
from analysis.rules.length_interaction import length_interaction
from analysis.rules.rule import Rule
from analysis.rules.two_arms import TwoArms
from analysis.stats.contrast import Estimand, Gap


class Interaction(TwoArms):
    """The effect is what the first arm gains on the second from short to long training."""

    keys = ("sign", "arms", "at", "cost", "margin", "tuned")
    one_regime = False

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        return length_interaction(study.at(self.at(rule)), rule, estimand)

    def topic(self, rule: Rule, epochs: int | None) -> str:
        return f"whether {phrases.arm_names(rule)[0]} gains with length{self.where(rule)}"

    def signed(self, rule: Rule) -> str:
        first, second = phrases.arm_names(rule)
        what = f"{rule.measure.gap} {phrases.at_equal_cost(rule)}, longest minus shortest training"
        return f"{what}{self.where(rule)}, above 0 where {first} gains on {second}"

    def line(self, j: Judgement, gap: Gap) -> str:
        cost = f"{phrases.at_equal_cost(j.rule)}{self.where(j.rule)}"
        return phrases.gap_line(j.rule, gap, f"gap of long minus gap of short training {cost}")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        names = phrases.arm_names(j.rule)
        gains, loses = phrases.better_first(gap, names)
        cost = f"{phrases.at_equal_cost(j.rule)}{self.where(j.rule)}"
        start, size = "From the shortest to the longest training", phrases.relative_error(gap)
        if gap.low <= 0 <= gap.high:
            either = f"it cannot be told {cost} whether {' or '.join(names)} gains"
            return f"{start} {either}: {gains} is ahead by {size}"
        return f"{start} {gains} gains {size} on {loses} {cost}"


KIND = Interaction()
