"""Intervals as a study's rules declare them: paired by seed, or about other images or classes.

Where lengths share trunks their runs are not independent, whatever is declared.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, Gap, with_interval
from analysis.stats.interpolation import Floats
from analysis.stats.population import paired_variance, population_variance
from analysis.stats.trunk_variance import share_trunks, trunk_variance
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import Variance

SEEDS = "seeds"
TUNED_TRUNKS = (
    "lengths of one trunk scatter together, which comparing them at their best learning rates does "
    "not know; leave out `tuned`, or grid.one_trunk"
)
NOT_A_CONTRAST = "this interval is no contrast of cells, so rules.{} does not apply to it"


def declared_interval(
    study: Evidence, gap: Gap, cells: Sequence[Cell], estimand: Estimand, tuned: bool
) -> tuple[Gap, tuple[str, ...]]:
    """The gap with the interval that trunks, `rules.paired` and `rules.generalise` ask for; notes.

    To first order the gap moves by weight times change of error over error, on the scale of
    ln(error), and by weight times change over the mean level on that of the error. What is no sum
    of cells stays as it is, see `not_applied`. PreconditionError where the runs do not allow it.
    """
    prereg = study.prereg
    used = list({c.config_id: c for c in cells if gap.weights.get(c.config_id)}.values())
    together = share_trunks(used)
    if together and tuned:
        raise PreconditionError(TUNED_TRUNKS)
    if not (_asked(prereg) or together) or not used or tuned:
        return gap, ()
    log = gap.measure.log and estimand.scale == "log"
    weights = np.array([gap.weights[c.config_id] / (c.error if log else gap.level) for c in used])
    errors, notes = list(gap.errors), list[str]()
    if prereg.paired or together:
        errors = [_of_seeds(study, used, weights)]
        ratio = math.sqrt(errors[0].value / sum(part.value for part in gap.errors))
        how = "paired by seed" if prereg.paired else "lengths of one trunk scatter together"
        notes.append(f"{how}: the SE from seeds is {ratio:.2f} times that of independent")
    if prereg.generalise == SEEDS:
        return with_interval(gap, errors, gap.timing, gap.timing_df, study.alpha), tuple(notes)
    if together and len({cell.seeds for cell in used}) > 1:
        raise PreconditionError("rules.generalise needs the same seeds in all lengths of a trunk")
    paired = prereg.paired or together
    more = population_variance(used, weights, prereg.generalise, paired)
    wide = with_interval(gap, [*errors, more], gap.timing, gap.timing_df, study.alpha)
    narrow = with_interval(gap, errors, gap.timing, gap.timing_df, study.alpha)
    widened = (wide.high - wide.low) / (narrow.high - narrow.low)
    notes.append(f"about other {prereg.generalise} of the same kind: {widened:.2f} times as wide")
    return replace(wide, population_se=math.sqrt(more.value)), tuple(notes)


def _of_seeds(study: Evidence, cells: Sequence[Cell], weights: Floats) -> Variance:
    """What seeds that go together, in all cells or in the lengths of a trunk, do to a contrast."""
    if study.prereg.paired:
        return paired_variance(cells, weights)
    return trunk_variance(cells, weights, study.cells)


def not_applied(prereg: Preregistration, gap: Gap | None, tuned: bool) -> tuple[str, ...]:
    """A note for each declared setting that an interval does not follow."""
    if gap is None or (gap.weights and not tuned):
        return ()
    return tuple(NOT_A_CONTRAST.format(name) for name in _asked(prereg))


def _asked(prereg: Preregistration) -> list[str]:
    asked = {"paired": prereg.paired, "generalise": prereg.generalise != SEEDS}
    return [name for name, is_asked in asked.items() if is_asked]
