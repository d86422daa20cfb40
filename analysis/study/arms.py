"""The two arms of a comparison: one base, and what scales away from it along either axis."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from analysis.study.cells import Cell
from analysis.study.columns import AXES
from scaling_study.study.axes import CELL_AXES

Base = Mapping[str, float]
# `smallest`, or values of some axes.
DeclaredBase = str | Mapping[str, float]
# The label where the other axes have one value each.
ONLY = "all"
DEPTH_WIDTH = ("depth", "width")


class Pair(NamedTuple):
    """Both arms at one setting of the other axes; the base, where it was run, is in each."""

    label: str
    first: tuple[Cell, ...]
    second: tuple[Cell, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of both arms; the base comes twice."""
        return (*self.first, *self.second)

    @property
    def where(self) -> str:
        """Begins a sentence about it: at resolution 32 px, or nothing if there is one setting."""
        return "" if self.label == ONLY else f"at {self.label} "


def base_of(
    cells: Sequence[Cell], declared: DeclaredBase, arms: tuple[str, str] = DEPTH_WIDTH
) -> Base:
    """The declared base on the arms' axes; what is not declared is the least of these cells."""
    given = {} if isinstance(declared, str) else declared
    return {axis: given.get(axis, min(c.value(axis) for c in cells)) for axis in arms}


def arm_of(cell: Cell, base: Base) -> str | None:
    """`base`, or the axis along which a configuration scales away from it; None for neither."""
    off = [axis for axis in base if cell.value(axis) != base[axis]]
    if not off:
        return "base"
    return off[0] if len(off) == 1 and cell.value(off[0]) > base[off[0]] else None


def pairs_of(cells: Sequence[Cell], base: Base, epochs: int, cost: str) -> list[Pair]:
    """The arms at each setting of everything else, where both can be drawn as curves.

    An arm needs two cells with a known cost, and one of them away from the base.
    """
    usable = [c for c in cells if c.epochs == epochs and c.cost(cost) is not None]
    others = [axis for axis in AXES if axis not in base]
    groups: dict[tuple[Any, tuple[float, ...]], list[Cell]] = {}
    for cell in sorted(usable, key=lambda c: [c.value(axis) for axis in others]):
        values = tuple(cell.value(axis) for axis in others)
        settings = tuple((key, value) for key, value in cell.settings if key not in base)
        groups.setdefault(((cell.variant or "", settings), values), []).append(cell)
    found = {axis: {cell.value(axis) for cell in usable} for axis in others}
    # What is no image has a resolution of 1.
    varied = [a for a in others if len(found[a]) > 1 or (a == "resolution" and found[a] != {1})]
    called = {axis.name: axis.label for cell in usable[:1] for axis in cell.own}
    units = {axis.name: f" {axis.unit}" for axis in CELL_AXES if axis.unit}
    pairs = []
    for ((variant, settings), values), members in groups.items():
        arms = [tuple(c for c in members if arm_of(c, base) in ("base", axis)) for axis in base]
        scaled = [any(arm_of(c, base) == axis for c in members) for axis in base]
        if min(map(len, arms)) >= 2 and all(scaled):
            at = zip(others, values, strict=True)
            shared = (f"{axis} {v:g}{units.get(axis, '')}" for axis, v in at if axis in varied)
            own = (
                variant,
                *(f"{called.get(key, key)} {value}" for key, value in settings),
                *shared,
            )
            pairs.append(Pair(", ".join(filter(None, own)) or ONLY, *arms))
    return pairs
