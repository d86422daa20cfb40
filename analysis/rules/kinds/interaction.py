"""`interaction`: the gap between two arms in the longest regime minus that in the shortest."""

from dataclasses import replace

from analysis.rules import phrases
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Effect, Judgement
from analysis.rules.rule import Rule
from analysis.rules.tuned import at_best_rates
from analysis.rules.two_arms import TwoArms, noise_notes
from analysis.stats.contrast import Estimand, Gap, with_interval
from analysis.stats.tuning import Tuning
from analysis.study.noise import Variance


class Interaction(TwoArms):
    """The effect is what the first arm gains on the second from short to long training."""

    keys = ("sign", "arms", "cost", "margin", "tuned")
    one_regime = False

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        shorter, longer = (at_best_rates(study, rule, estimand, e) for e in study.regimes())
        gap = difference(longer[0], shorter[0], study.alpha)
        cells = [c for found in (shorter, longer) for pair in found[1] for c in pair.cells]
        count = len(shorter[2].variances) + len(longer[2].variances)
        notes = noise_notes(gap, longer[2], cells, estimand.axis)
        return Effect(gap, cells, count, notes, _both(longer[3], shorter[3], gap, study.alpha))

    def topic(self, rule: Rule, epochs: int | None) -> str:
        return f"whether {phrases.arm_names(rule)[0]} gains with length"

    def signed(self, rule: Rule) -> str:
        first, second = phrases.arm_names(rule)
        what = f"{rule.measure.gap} {phrases.at_equal_cost(rule)}, longest minus shortest training"
        return f"{what}, above 0 where {first} gains on {second}"

    def line(self, j: Judgement, gap: Gap) -> str:
        cost = phrases.at_equal_cost(j.rule)
        return phrases.gap_line(j.rule, gap, f"gap of long minus gap of short training {cost}")

    def sentence(self, j: Judgement, gap: Gap) -> str:
        names = phrases.arm_names(j.rule)
        gains, loses = phrases.better_first(gap, names)
        start, cost = "From the shortest to the longest training", phrases.at_equal_cost(j.rule)
        size = phrases.relative_error(gap)
        if gap.low <= 0 <= gap.high:
            either = f"it cannot be told {cost} whether {' or '.join(names)} gains"
            return f"{start} {either}: {gains} is ahead by {size}"
        return f"{start} {gains} gains {size} on {loses} {cost}"


def _both(longer: Tuning | None, shorter: Tuning | None, best: Gap, alpha: float) -> Tuning | None:
    """What tuning does to the difference of two regimes; None where the rule is not tuned."""
    if longer is None or shorter is None:
        return None
    return Tuning(
        best,
        difference(longer.recipe, shorter.recipe, alpha),
        difference(longer.favour, shorter.favour, alpha),
        (*shorter.ends, *longer.ends),
    )


def difference(longer: Gap, shorter: Gap, alpha: float) -> Gap:
    """longer - shorter, two gaps from independent seeds; Welch-Satterthwaite degrees of freedom.

    A step time that both regimes share moves both gaps: what it adds is the difference.
    """
    errors = [part for g in (longer, shorter) for part in g.errors or [Variance(g.se**2, g.df)]]
    timing = {
        key: longer.timing.get(key, 0.0) - shorter.timing.get(key, 0.0)
        for key in {**longer.timing, **shorter.timing}
    }
    both = replace(
        longer,
        estimate=longer.estimate - shorter.estimate,
        floor=longer.floor - shorter.floor,
        weights=dict(longer.weights) | {k: -w for k, w in shorter.weights.items()},
    )
    timing_df = min(longer.timing_df, shorter.timing_df)
    return with_interval(both, errors, timing, timing_df, alpha)


KIND = Interaction()
