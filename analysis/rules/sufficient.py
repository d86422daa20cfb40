"""The least part of planned cells that suffices, found by bisection."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError

# The cost by which cells of a plan are ordered: known without measuring.
COST = "flops"


def ids_of(cells: Iterable[Cell]) -> frozenset[str]:
    """The config ids of cells."""
    return frozenset(cell.config_id for cell in cells)


def planned_cost(cell: Cell) -> float:
    """FLOPs of one forward pass; 0 where they are not known."""
    return cell.cost(COST) or 0.0


def least_sufficient(values: Sequence[float], check: Callable[[float], None]) -> float | None:
    """The least of ascending values that passes `check`; None if none does.

    By bisection: what suffices still does with more.
    """

    def passes(value: float) -> bool:
        try:
            check(value)
        except PreconditionError:
            return False
        return True

    at = bisect_left(values, True, key=passes)
    return values[at] if at < len(values) else None
