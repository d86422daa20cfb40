"""Why each point of a grid is a cell or none, and how two grids differ."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ExcludedPoint
from scaling_study.grid.schema import VARIANT
from scaling_study.study.axes import AXES, NAMES, plain, short_name

# More lines of one kind than this are not listed.
MOST_LINES = 20
REPLICATE = {axis.key for axis in AXES if axis.replicate}


def explained(cells: Sequence[Cell], left: Sequence[ExcludedPoint]) -> Iterator[str]:
    """A line a point: those that are in, then those that are out, with the reason."""
    for cell in cells:
        yield f"in   {described(cell.point)}: {cell.run.run_id}{_solved(cell)}"
    for point in left:
        yield f"out  {described(point.point)}: {point.why}"
    yield f"{len(cells)} cells in, {len(left)} points out"


def infeasible(left: Sequence[ExcludedPoint]) -> list[str]:
    """A line for each target that no legal value meets, seeds counted together."""
    points = [({k: v for k, v in p.point.items() if k not in REPLICATE}, p) for p in left]
    found = Counter(f"infeasible: {described(at)}: {p.why}" for at, p in points if p.infeasible)
    lines = [line if n == 1 else f"{line} ({n} points)" for line, n in found.items()]
    if (more := len(lines) - MOST_LINES) <= 0:
        return lines
    return [*lines[:MOST_LINES], f"… and {more} more; explain=true lists them"]


def unchanged(cells: Sequence[Cell], left: Sequence[ExcludedPoint]) -> list[str]:
    """A line for each variant that is, everywhere or somewhere, the same run as another."""
    there = {cell.variant for cell in cells}
    pairs = Counter((p.point[VARIANT], p.twin) for p in left if p.twin is not None)
    return [
        f"variant {name} is the same run as {twin}" + (f" in {n} points" if name in there else "")
        for (name, twin), n in pairs.items()
    ]


def described(point: Mapping[str, Any]) -> str:
    """The values of a point, short names for axes; variants by name alone."""
    if VARIANT in point:
        point = {VARIANT: point[VARIANT]} | {k: v for k, v in point.items() if k in NAMES}
    values = [f"{short_name(key)}={plain(value)}" for key, value in point.items()]
    return ", ".join(values) or "the one run"


def _solved(cell: Cell) -> str:
    if (s := cell.solved) is None:
        return ""
    gives = f"{s.axis}={s.value:g} gives {s.quantity}={s.achieved:.4g}"
    return f" ({gives}, {100 * s.off:+.2f} % of {s.target:.4g}; tolerance {100 * s.tolerance:g} %)"


def difference(
    name: str, here: Mapping[str, str], other_name: str, other: Mapping[str, str]
) -> Iterator[str]:
    """Two grids as {run id: what it is}: what only one has, and how many both have."""
    for label, ours, theirs in ((name, here, other), (other_name, other, here)):
        only = [run_id for run_id in ours if run_id not in theirs]
        yield f"only in {label}: {len(only)}"
        yield from (f"  {run_id}  {ours[run_id]}" for run_id in only)
    common = sum(run_id in other for run_id in here)
    yield f"in both: {common}, shared by one store"
