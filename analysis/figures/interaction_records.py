"""The numbers behind interaction plots: mean outcomes at two values of either of two settings."""

import math
from collections.abc import Iterator, Sequence

from analysis.rules.declared_settings import LevelsBetween, level_name
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Judgement
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import t_quantile
from analysis.study.cells import Cell
from analysis.study.columns import LEVEL, Record
from analysis.study.matched_cells import matches_of
from analysis.study.noise import Variance, welch_satterthwaite
from analysis.study.study_cells import StudyCells


def interaction_records(
    cells: StudyCells, prereg: Preregistration, judgements: Sequence[Judgement]
) -> list[Record]:
    """Four records a judged rule about two levels between two values of another setting.

    `error` is the mean over the matched cells of that corner, on the scale on which outcomes are
    compared, with its 95 % interval between seeds; `effect`, `low` and `high` are the rule's, the
    same in all four.
    """
    study = Evidence(cells, prereg)
    return [
        record
        for j in judgements
        if isinstance(j.rule.options, LevelsBetween) and j.gap is not None
        for record in _corners(study, j, j.rule.options)
    ]


def _corners(study: Evidence, j: Judgement, own: LevelsBetween) -> Iterator[Record]:
    assert j.gap is not None
    effect = {name: getattr(j.gap, name) for name in ("estimate", "low", "high")}
    about = {"rule": j.rule.name, "verdict": j.verdict.value, "by": own.by.rpartition(".")[2]}
    for value in own.between:
        part = study.at(own.at(value))
        matches = matches_of([*part.cells], own.compared.along, own.compared.levels)
        sides = [m.first for m in matches], [m.second for m in matches]
        for level, corner in zip(own.compared.levels, sides, strict=True):
            named = {
                "level": level_name(own.compared.along, level),
                "value": level_name(own.by, value),
            }
            yield about | named | _mean(part, corner) | effect


def _mean(study: Evidence, corner: Sequence[Cell]) -> Record:
    """The mean of some cells with its 95 % interval."""
    measure, share = corner[0].measure, 1 / len(corner)
    factors: dict[int, dict[str, float]] = {}
    for cell in corner:
        slope = measure.slope(cell.error)
        factors.setdefault(cell.epochs, {})[cell.config_id] = (share * slope) ** 2 / cell.n
    noises = {epochs: study.noise(epochs) for epochs in factors}
    parts = [noises[epochs].of_sum(own) for epochs, own in factors.items()]
    total: Variance = welch_satterthwaite(parts)
    half = t_quantile(total.df, LEVEL) * math.sqrt(total.value)
    middle = sum(measure.scaled(cell.error) for cell in corner) * share
    ends = {"error": middle, "error_low": middle - half, "error_high": middle + half}
    kind = "prior" if total.assumed else "seeds"
    return {"noise": kind} | {k: float(measure.unscaled(v)) for k, v in ends.items()}
