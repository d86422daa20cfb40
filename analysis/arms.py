"""The two arms of a depth-versus-width comparison: one base, and what scales away from it."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from analysis.noise import Cell


class Base(NamedTuple):
    """The configuration both arms start from."""

    depth: int
    width: float


class Pair(NamedTuple):
    """Both arms at one resolution, px; the base, where it was run, is in each."""

    resolution: int
    depth: tuple[Cell, ...]
    width: tuple[Cell, ...]


def base_of(cells: Sequence[Cell], declared: str | Mapping[str, float]) -> Base:
    """The declared base; `smallest` is the least depth with the least width of these cells."""
    if isinstance(declared, str):
        return Base(min(c.depth for c in cells), min(c.width for c in cells))
    return Base(int(declared["depth"]), float(declared["width"]))


def arm_of(depth: int, width: float, base: Base) -> Literal["base", "depth", "width"] | None:
    """Which arm a configuration belongs to, None for neither."""
    if (depth, width) == base:
        return "base"
    if width == base.width and depth > base.depth:
        return "depth"
    if depth == base.depth and width > base.width:
        return "width"
    return None


def pairs_of(cells: Sequence[Cell], base: Base, epochs: int, axis: str) -> list[Pair]:
    """The arms at each resolution where both have two cells or more whose cost was measured."""
    usable = [c for c in cells if c.epochs == epochs and c.cost(axis) is not None]
    pairs = []
    for resolution in sorted({c.resolution for c in usable}):
        arms: dict[str, tuple[Cell, ...]] = {
            arm: tuple(
                c
                for c in usable
                if c.resolution == resolution and arm_of(c.depth, c.width, base) in ("base", arm)
            )
            for arm in ("depth", "width")
        }
        if min(len(arms["depth"]), len(arms["width"])) >= 2:
            pairs.append(Pair(resolution, arms["depth"], arms["width"]))
    return pairs
