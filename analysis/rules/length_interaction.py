"""What one arm gains on another from the shortest to the longest training."""

from analysis.rules.evidence import Evidence
from analysis.rules.kind import Effect
from analysis.rules.rule import Rule
from analysis.rules.tuned import at_best_rates
from analysis.rules.two_arms import noise_notes
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.gap_difference import difference
from analysis.stats.tuning import Tuning


def length_interaction(study: Evidence, rule: Rule, estimand: Estimand) -> Effect:
    """The gap between two arms in the longest regime minus that in the shortest.

    Raises:
        PreconditionError: a precondition of the declared rules fails in either regime.
    """
    shorter, longer = (at_best_rates(study, rule, estimand, e) for e in study.regimes())
    gap = difference(longer[0], shorter[0], study.alpha)
    cells = [c for found in (shorter, longer) for pair in found[1] for c in pair.cells]
    count = len(shorter[2].variances) + len(longer[2].variances)
    notes = noise_notes(gap, longer[2], cells, estimand.axis)
    return Effect(gap, cells, count, notes, _both(longer[3], shorter[3], gap, study.alpha))


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
