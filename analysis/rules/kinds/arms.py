"""`arms`: mean ln(error) difference of two arms at equal cost, in one regime."""

import math
from dataclasses import replace

import numpy as np

from analysis.rules import phrases
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Effect, Estimate, Judgement
from analysis.rules.rule import Rule
from analysis.rules.tuned import at_best_rates
from analysis.rules.two_arms import TwoArms, noise_notes
from analysis.stats.contrast import Estimand, Gap, gap_of, t_quantile
from analysis.study.arms import DEPTH_WIDTH


class Arms(TwoArms):
    """The effect is ln(error) of the second arm minus that of the first."""

    keys = (*TwoArms.keys, "tuned")

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
        study = study.at(self.at(rule))
        gap, pairs, noise, tuning = at_best_rates(study, rule, estimand, _epochs(study, rule))
        cells = [c for pair in pairs for c in pair.cells]
        notes = noise_notes(gap, noise, cells, estimand.axis)
        return Effect(gap, cells, len(noise.variances), notes, tuning)

    def estimate(self, study: Evidence, rule: Rule, estimand: Estimand) -> Estimate:
        found = super().estimate(study, rule, estimand)
        return replace(
            found, notes=(*found.notes, *_sample_note(study.at(self.at(rule)), rule, estimand))
        )

    def topic(self, rule: Rule, epochs: int | None) -> str:
        names = " or ".join(phrases.arm_names(rule))
        return f"at {rule.measure.at(epochs or 0)} {names}{self.where(rule)}"

    def signed(self, rule: Rule) -> str:
        first, second = phrases.arm_names(rule)
        what = f"{rule.measure.gap} {phrases.at_equal_cost(rule)} after the {rule.regime} training"
        return f"{what}{self.where(rule)}, above 0 where {first} is better than {second}"

    def line(self, j: Judgement, gap: Gap) -> str:
        best = phrases.better_arm(gap.low, gap.high, j.rule.arms)
        length = gap.measure.at(j.epochs or 0) + self.where(j.rule)
        what = f"{gap.measure.gap}, {best} {phrases.at_equal_cost(j.rule)}, {length}"
        return phrases.gap_line(j.rule, gap, what)

    def sentence(self, j: Judgement, gap: Gap) -> str:
        names, where = (
            phrases.arm_names(j.rule),
            f" {phrases.at_equal_cost(j.rule)}{self.where(j.rule)}",
        )
        return phrases.comparison(gap, names, f"At {gap.measure.at(j.epochs or 0)}", where)


def _epochs(study: Evidence, rule: Rule) -> int:
    return study.regimes()[rule.regime == "longest"]


def as_sample(
    study: Evidence, epochs: int, estimand: Estimand, arms: tuple[str, str] = DEPTH_WIDTH
) -> tuple[float, float, float] | None:
    """(mean, low, high) of the gaps at each setting of the other axes, taken as a random sample.

    This interval is about settings that were not run; None with fewer than three of them.
    """
    pairs, rules = study.cells.pairs(epochs, estimand.axis, arms), study.prereg
    if len(pairs) < 3:
        return None
    noise = study.noise(epochs)
    each = [
        gap_of([pair], noise, estimand, study.alpha, rules.min_overlap).estimate for pair in pairs
    ]
    mean, se = float(np.mean(each)), float(np.std(each, ddof=1)) / math.sqrt(len(each))
    half = t_quantile(len(each) - 1, 1 - study.alpha / 2) * se
    return mean, mean - half, mean + half


def _sample_note(study: Evidence, rule: Rule, estimand: Estimand) -> tuple[str, ...]:
    """Whether the claim also holds for settings that were not run."""
    epochs = _epochs(study, rule)
    sample = as_sample(study, epochs, estimand, rule.arms)
    if sample is None or rule.tuned:
        return ()
    inside = min(rule.sign * end for end in sample[1:]) > rule.margin
    count = len(study.cells.pairs(epochs, estimand.axis, rule.arms))
    return (
        f"with the {count} settings of the other axes as a random sample: "
        f"{rule.measure.interval(*sample)}, so beyond them the claim "
        f"{'holds' if inside else 'does not hold'}",
    )


KIND = Arms()
