"""The difference of two levels of one setting, all else equal, as an effect of a rule."""

from collections.abc import Iterator, Sequence

from analysis.rules.declared_settings import TwoLevels
from analysis.rules.evidence import Evidence
from analysis.rules.kind import CellIds, Effect
from analysis.rules.planned import ids_of
from analysis.rules.two_arms import moderation_note
from analysis.stats.contrast import Estimand
from analysis.stats.matched_gap import matched_gap
from analysis.study.cells import Cell
from analysis.study.matched_cells import matches_of


def level_effect(
    study: Evidence, cells: Sequence[Cell], own: TwoLevels, estimand: Estimand
) -> Effect:
    """Mean over matched `cells` of ln(error) of the second level minus that of the first.

    The noise is that of all cells of the study. Raises PreconditionError where no cells match.
    """
    matches = matches_of(cells, own.along, own.levels)
    compared = [cell for match in matches for cell in (match.first, match.second)]
    noises = {e: study.noise(e) for e in sorted({c.epochs for c in compared})}
    gap = matched_gap(matches, noises, estimand, study.alpha)
    notes = [f"mean of {len(matches)} pairs: {', '.join(m.label for m in matches)}"]
    at = gap.measure.at
    notes += [f"seed SD {noise.text} at {at(epochs)}" for epochs, noise in noises.items()]
    notes += dict.fromkeys(
        text for n in noises.values() for text in moderation_note(n, gap.measure)
    )
    count = sum(len(noise.variances) for noise in noises.values())
    return Effect(gap, compared, count, tuple(notes))


def pairs_of_levels(cells: Sequence[Cell], own: TwoLevels) -> Iterator[CellIds]:
    """Every pair of cells that differ in the level alone; raises as `level_effect`."""
    for match in matches_of(cells, own.along, own.levels):
        yield ids_of((match.first, match.second))
