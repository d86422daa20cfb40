"""Intervals as a study's rules declare them: paired by seed, or about other images or classes."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, Gap, with_interval
from analysis.stats.population import paired_variance, population_variance
from analysis.study.cells import Cell

SEEDS = "seeds"
NOT_A_CONTRAST = "this interval is no contrast of cells, so rules.{} does not apply to it"


def declared_interval(
    study: Evidence, gap: Gap, cells: Sequence[Cell], estimand: Estimand, tuned: bool
) -> tuple[Gap, tuple[str, ...]]:
    """The gap with the interval that `rules.paired` and `rules.generalise` ask for, and notes.

    To first order the gap moves by weight times change of error over error, on the scale of
    ln(error), and by weight times change over the mean level on that of the error. What is no sum
    of cells stays as it is, see `not_applied`. PreconditionError where the runs do not allow it.
    """
    prereg = study.prereg
    used = list({c.config_id: c for c in cells if gap.weights.get(c.config_id)}.values())
    if not _asked(prereg) or not used or tuned:
        return gap, ()
    log = gap.measure.log and estimand.scale == "log"
    weights = np.array([gap.weights[c.config_id] / (c.error if log else gap.level) for c in used])
    errors, notes = list(gap.errors), list[str]()
    if prereg.paired:
        errors = [paired_variance(used, weights)]
        ratio = math.sqrt(errors[0].value / sum(part.value for part in gap.errors))
        notes.append(f"paired by seed: the SE from seeds is {ratio:.2f} times that of independent")
    if prereg.generalise == SEEDS:
        return with_interval(gap, errors, gap.timing, gap.timing_df, study.alpha), tuple(notes)
    more = population_variance(used, weights, prereg.generalise, prereg.paired)
    wide = with_interval(gap, [*errors, more], gap.timing, gap.timing_df, study.alpha)
    narrow = with_interval(gap, errors, gap.timing, gap.timing_df, study.alpha)
    widened = (wide.high - wide.low) / (narrow.high - narrow.low)
    notes.append(f"about other {prereg.generalise} of the same kind: {widened:.2f} times as wide")
    return replace(wide, population_se=math.sqrt(more.value)), tuple(notes)


def not_applied(prereg: Preregistration, gap: Gap | None, tuned: bool) -> tuple[str, ...]:
    """A note for each declared setting that an interval does not follow."""
    if gap is None or (gap.weights and not tuned):
        return ()
    return tuple(NOT_A_CONTRAST.format(name) for name in _asked(prereg))


def _asked(prereg: Preregistration) -> list[str]:
    asked = {"paired": prereg.paired, "generalise": prereg.generalise != SEEDS}
    return [name for name, is_asked in asked.items() if is_asked]
