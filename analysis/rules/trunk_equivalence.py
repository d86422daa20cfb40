"""Whether trunks end as cosine training does: what every verdict on lengths of one trunk rests on.

A grid with `one_trunk` trains some cells by cosine as well, alone. Each of these anchors must be
equivalent to the trunk's cell within the declared margin, by two one-sided tests (Schuirmann 1987);
as all must be, each is tested at the full level (an intersection-union test, Berger 1982).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, t_quantile
from analysis.stats.decision import POWER, decide_equivalence
from analysis.stats.matched_gap import matched_gap
from analysis.study.cells import Cell, cells_of
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Match
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from scaling_study.study.table import ANCHOR


class Equivalence(NamedTuple):
    """Why no rule is judged, empty if all are; else a note about it, none without trunks."""

    refused: str = ""
    notes: tuple[str, ...] = ()


def trunk_equivalence(table: Table, cells: StudyCells, prereg: Preregistration) -> Equivalence:
    """Whether the cells of a table may be judged: they share no trunks, or its anchors hold."""
    if (declared := table.grid.get("one_trunk")) is None:
        return Equivalence()
    margin = float(declared["margin"])
    measure = cells.measure
    claim = f"as cosine training does, within {measure.size(margin)}"
    texts = []
    for cosine, own, name in _pairs(table):
        if cosine is None or own is None:
            lacks = "by cosine" if cosine is None else "of the trunk"
            return _refused(claim, f"no run {lacks} of {name} can be analysed")
        try:
            text, holds = _compared(Evidence(cells, prereg), cosine, own, margin)
        except PreconditionError as error:
            return _refused(claim, f"at {name}, {error}")
        if not holds:
            return _refused(claim, f"at {name} the {measure.gap} is {text}")
        texts.append(f"{text} at {name}")
    if not texts:
        return _refused(claim, "the plan has no runs by cosine")
    return Equivalence(notes=(f"trunks end {claim}: {measure.gap} {', '.join(texts)}",))


def largest_sd(margin: float, seeds: int, alpha: float) -> float:
    """The largest SD between seeds, on the scale of `margin`, with 80 % power for one anchor.

    Of cells with so many seeds that truly agree: margin = (t_{1 - alpha/2} + t_{0.9}) SE.
    """
    df = 2.0 * (seeds - 1)
    steps = t_quantile(df, 1 - alpha / 2) + t_quantile(df, (1 + POWER) / 2)
    return margin / steps / math.sqrt(2 / seeds)


def _refused(claim: str, why: str) -> Equivalence:
    return Equivalence(f"not judged, because trunks are not shown to end {claim}: {why}")


def _pairs(table: Table) -> list[tuple[Cell | None, Cell | None, str]]:
    """The planned anchors: the cell by cosine, that of the trunk, and what both are called."""
    found = {cell.config_id: cell for cell in cells_of([*table.by_cosine, *table.by_trunk])}
    planned = [*table.by_cosine, *table.diverged, *table.unused]
    pairs = {str(r["config_id"]): r for r in planned if r.get(ANCHOR)}
    named = ((found.get(key), found.get(str(row[ANCHOR])), row) for key, row in pairs.items())
    return [(cosine, own, _name(cosine or own, row)) for cosine, own, row in named]


def _name(cell: Cell | None, row: Mapping[str, Any]) -> str:
    return cell.name if cell else str(row["config_id"])


def _compared(study: Evidence, cosine: Cell, own: Cell, margin: float) -> tuple[str, bool]:
    """The trunk's cell against cosine's, in words, and whether they are equivalent."""
    others = [c for c in study.cells.regime(own.epochs) if c.config_id != own.config_id]
    both = replace(study, cells=StudyCells([cosine, own, *others]))
    noises = {own.epochs: both.noise(own.epochs)}
    alpha, match = study.alpha, Match(own.name, cosine, own)
    gap = matched_gap([match], noises, Estimand(study.prereg.cost), alpha)
    verdict = decide_equivalence(gap, margin, alpha, (cosine.n + own.n) / 2, 2)
    return gap.measure.interval(gap.estimate, gap.low, gap.high), verdict.value == "supported"
