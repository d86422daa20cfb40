"""Rules that say `tuned: lr`: judged with both arms at their own best learning rate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Rule, one_of
from analysis.stats.best_rate import Rates
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.decision import Verdict
from analysis.stats.tuning import Tuning, tuned
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

# What a rule may require to be tuned.
TUNED = ("lr",)


def tuned_key(declared: Mapping[str, Any], arms: Sequence[str], where: str) -> str:
    """The value of a rule's key `tuned`, empty without it; InputError for another than `lr`."""
    value = declared.get("tuned")
    if value is None:
        return ""
    if "lr" in arms:
        raise InputError(f"{where}.tuned: {value!r}: the rule compares arms of the learning rate")
    found: str = one_of(value, TUNED, f"{where}.tuned")
    return found


def at_best_rates(
    study: Evidence, rule: Rule, estimand: Estimand, epochs: int
) -> tuple[Gap, list[Pair], Any, Tuning | None]:
    """A gap of one regime as `Evidence.gap_at` gives it, and what tuning does to it.

    With a tuned rule the gap is that at the best learning rates; else tuning is None.

    Raises:
        PreconditionError: as `gap_at`, or runs at other learning rates are missing.
    """
    gap, pairs, noise = study.gap_at(epochs, estimand, rule.arms)
    if not rule.tuned:
        return gap, pairs, noise, None
    ends = ends_of(study.cells, pairs, rule.arms)
    own = study.cells
    every = StudyCells([*own, *own.tuning], own.declared_base, arms=own.arms)
    known = replace(study, cells=every).noise(epochs)
    tuning = tuned(gap, pairs, ends, known, estimand, study.alpha)
    return tuning.best, pairs, noise, tuning


def ends_of(cells: StudyCells, pairs: Sequence[Pair], arms: tuple[str, str]) -> dict[str, Rates]:
    """The first cells of the arms by config_id, then their last ones, each at three rates.

    Raises:
        PreconditionError: an end was not trained at a lower and a higher rate.
    """
    firsts, lasts = dict[str, Rates](), dict[str, Rates]()
    for pair in pairs:
        for axis, arm in zip(arms, (pair.first, pair.second), strict=True):
            ordered = sorted(arm, key=lambda c: c.value(axis))
            where = "" if len(pairs) == 1 else f" at {pair.label}"
            shared = ordered[0] in pair.first and ordered[0] in pair.second
            start = "the base" if shared else f"the start of the {axis} arm"
            firsts[ordered[0].config_id] = _rates(cells, ordered[0], f"{start}{where}")
            end = f"the end of the {axis} arm{where}"
            lasts[ordered[-1].config_id] = _rates(cells, ordered[-1], end)
    return firsts | lasts


def _rates(cells: StudyCells, own: Cell, name: str) -> Rates:
    others = [cell for cell in cells.tuning if but_rate(cell) == but_rate(own)]
    found = sorted([*others, own], key=lambda cell: cell.lr_factor)
    if len(found) != 3 or found[1] is not own:
        raise PreconditionError(
            f"the rule is `tuned: lr`, and {name} was not trained at a lower and a higher learning "
            f"rate without diverging ({own.epochs} epochs); grid.tuned adds such runs"
        )
    if any(cell.error <= 0 for cell in others):
        raise PreconditionError(f"{name} makes no errors, so relative error is not defined")
    return Rates(name, (found[0], own, found[2]))


def but_rate(cell: Cell) -> tuple[Any, ...]:
    """What tells a cell from others of its study besides its learning rate."""
    return cell.depth, cell.width, cell.resolution, cell.epochs, cell.comparison_group


def limited(verdict: Verdict, tuning: Tuning | None) -> Verdict:
    """The verdict at best rates: inconclusive where one lies outside the rates that were tried."""
    if tuning is None or not tuning.outside:
        return verdict
    return Verdict("inconclusive", tuning.outside)
