"""Which settings a grid compares on purpose, and which of them distinguish its cells."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analysis.study.columns import LR, own_axes
from analysis.study.measure import measure_of
from scaling_study.study.axes import FILE_GROUPS, Axis, crossed

Settings = tuple[tuple[str, str], ...]


def compared(grid: Mapping[str, Any]) -> set[str]:
    """Config keys that the grid compares on purpose: it crosses them, or variants name them.

    Groups of which blocks choose files, model or train, are among them with all that is in them.
    Values tied to others in `points` or `when` are not: they change with an axis.
    """
    files = {key for block in grid.get("blocks") or [] for key in block if key in FILE_GROUPS}
    return {*crossed(grid), *_of_variants(grid), *files}


def declared_variants(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The variants of a grid and of its blocks: their kind, and what each of them changes."""
    yield from (part.get("variants") or {}).items()
    for block in part.get("blocks") or []:
        yield from declared_variants(block)


def cumulative_rows(grid: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The names of variants each of which has those before it too, a tuple for each list."""
    return tuple(
        tuple(map(str, named)) for kind, named in declared_variants(grid) if kind == "cumulative"
    )


def _of_variants(grid: Mapping[str, Any]) -> set[str]:
    return {key for _, rows in declared_variants(grid) for row in rows.values() for key in row}


def varied(part: Mapping[str, Any]) -> set[str]:
    """Config keys that a grid gives values itself, those tied in `points` or `when` included.

    Settings that differ between runs for another reason follow from these.
    """
    found = {*(part.get("axes") or {}), *_of_variants(part)}
    found |= {key for point in part.get("points") or [] for key in point}
    parts = (*(part.get("blocks") or []), *(part.get("when") or []))
    return found.union(*(varied(one) for one in parts))


def with_comparison_settings(
    rows: Iterable[Mapping[str, Any]], grid: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of a plan or of a study, each with the `settings` that distinguish it in the grid.

    `own` are the axes that only this grid has: what `settings` are about, and the learning rate.
    `measure` is what the grid's runs are compared by.
    """
    shared = {"own": (own := tuple(own_axes(grid))), "measure": measure_of(grid)}
    return [{**row, "settings": _settings_of(row, own), **shared} for row in rows]


def _settings_of(row: Mapping[str, Any], own: Iterable[Axis]) -> Settings:
    return tuple(
        (axis.name, str(row[column]))
        for axis in own
        if axis is not LR and (column := column_of(row, axis)) in row
    )


def column_of(row: Mapping[str, Any], axis: Axis) -> str:
    """The column of an axis in a row: the key itself, as a plan has it, or its last part."""
    return axis.name if axis.name in row else axis.name.rpartition(".")[2]
