"""Pairs of cells that differ in one setting alone.

Cells of both levels are matched by everything that varies within a level. Settings that change with
the level (a solved axis, a variant's overrides) are ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.study.cells import Cell
from analysis.study.columns import SETTINGS, Level
from analysis.study.errors import PreconditionError

# Settings with the value that cells have of each.
Settings = tuple[tuple[str, Level], ...]


@dataclass(frozen=True)
class Match:
    """A cell of each level; `label` names the settings that they share."""

    label: str
    first: Cell
    second: Cell


def matches_of(cells: Sequence[Cell], along: str, levels: tuple[Level, Level]) -> list[Match]:
    """Cells of both levels, matched.

    Raises:
        PreconditionError: a level was not run, or its cells cannot be distinguished or matched.
    """
    groups = [[c for c in cells if setting_of(c, along) == level] for level in levels]
    for level, found in zip(levels, groups, strict=True):
        if not found:
            values = {str(v): None for c in cells if (v := setting_of(c, along)) is not None}
            known = f"there are {', '.join(values)}" if values else f"the grid varies no {along}"
            raise PreconditionError(f"no run with {along} {level}; {known}")
    names = _shared(groups, along)
    first, second = (_named(found, names) for found in groups)
    both = [Match(label, cell, second[label]) for label, cell in first.items() if label in second]
    if not both:
        raise PreconditionError(f"no two runs differ in {along} {levels[0]} and {levels[1]} alone")
    return both


def setting_of(cell: Cell, name: str) -> Level | None:
    """What a cell has on an axis, as variant or target, or for a key that the grid varies."""
    if name in SETTINGS:
        return cell.value(name)
    if name in ("variant", "target"):
        return str(value) if (value := getattr(cell, name)) else None
    text = dict(cell.settings).get(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def has_settings(cell: Cell, settings: Settings) -> bool:
    """Whether a cell has these values."""
    return all(setting_of(cell, key) == value for key, value in settings)


def settings_text(settings: Settings) -> str:
    """The settings with their values, as in `depth 50 and variant tuned`."""
    return " and ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings)


def _shared(groups: Sequence[Sequence[Cell]], along: str) -> list[str]:
    """What varies within a level, so that cells are matched by it."""
    cells = [cell for group in groups for cell in group]
    keys = dict.fromkeys(key for cell in cells for key, _ in cell.settings)
    free = {along, *(cell.solved for cell in cells)}
    return [
        name
        for name in (*SETTINGS, "variant", "target", *keys)
        if name not in free and any(len({setting_of(c, name) for c in g}) > 1 for g in groups)
    ]


def _named(cells: Sequence[Cell], names: Sequence[str]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for cell in cells:
        values = {name: setting_of(cell, name) for name in names}
        label = ", ".join(f"{n} {v:g}" if isinstance(v, float) else f"{n} {v}"
                          for n, v in values.items()) or "all runs"  # fmt: skip
        if label in found:
            raise PreconditionError(f"runs with {label} differ in something that is not named")
        found[label] = cell
    return found
