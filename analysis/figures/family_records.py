"""The numbers behind the figure of families: configurations against each cost that is compared."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.figures.records import half_width
from analysis.rules.kind import Judgement
from analysis.rules.kinds.speed import KIND
from analysis.rules.registry import find_kind
from analysis.stats.pareto import on_frontier
from analysis.study.cells import Cell
from analysis.study.columns import Record, interval
from analysis.study.study_cells import StudyCells


def family_records(cells: StudyCells, judgements: Sequence[Judgement]) -> list[Record]:
    """A record per cost that a judged rule about two families compares, and configuration of them.

    `error` has its 95 % interval between seeds; `on_frontier` is about the configuration's own
    family.
    """
    judged = [j for j in judgements if find_kind(j.rule.kind) is KIND and j.gap and j.rule.options]
    costs = dict.fromkeys(j.rule.cost for j in judged)
    return [
        record
        for cost in costs
        for record in _of_cost(cells, cost, [j for j in judged if j.rule.cost == cost])
    ]


def _of_cost(cells: StudyCells, cost: str, judged: Sequence[Judgement]) -> Iterator[Record]:
    families: dict[str, list[Cell]] = {}
    for j in judged:
        families |= KIND.families([*cells], j.rule)
    for name, members in families.items():
        yield from _of_family(cells, cost, name, members)


def _of_family(
    cells: StudyCells, cost: str, name: str, members: Sequence[Cell]
) -> Iterator[Record]:
    ordered = sorted(members, key=lambda cell: cell.cost(cost) or 0.0)
    noise = cells.select(lambda cell: cell in ordered).noise(ordered[0].epochs)
    pairs = np.array([(cell.cost(cost), cell.error) for cell in ordered], dtype=float)
    found = on_frontier(*pairs.T)
    for cell, best in zip(ordered, found, strict=True):
        yield {
            "family": name,
            "configuration": cell.name,
            "epochs": cell.epochs,
            "seeds": cell.n,
            "noise": noise.kind if noise else None,
            "cost_axis": cost,
            "cost": cell.cost(cost),
            **interval("error", cell.error, half_width(cell, noise)),
            "on_frontier": bool(best),
        }
