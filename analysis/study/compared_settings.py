"""Which settings a grid compares on purpose, and which of them distinguish its cells."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

# The axes of every study. A cell has them as columns of their own.
AXES = ("model.depth", "model.width", "data.resolution", "train.epochs", "seed")
# Keys by which a grid sets the learning rate, which is a column of its own too.
LR = ("train.lr_per_256",)
SHORT = {key: key.rpartition(".")[2] for key in AXES}
Settings = tuple[tuple[str, str], ...]


def compared(grid: Mapping[str, Any]) -> set[str]:
    """Config keys that the grid compares on purpose: it crosses them, or variants name them.

    Values tied to others in `points` or `when` are not among them: they change with an axis.
    """
    return {*crossed(grid), *_of_variants(grid)}


def crossed(part: Mapping[str, Any]) -> set[str]:
    """Config keys that are axes of a grid; under a condition those with several values."""
    found = set(part.get("axes") or {})
    for condition in part.get("when") or []:
        axes = condition.get("axes") or {}
        found |= {key for key, v in axes.items() if not isinstance(v, list) or len(v) > 1}
    return found.union(*(crossed(block) for block in part.get("blocks") or []))


def _of_variants(part: Mapping[str, Any]) -> Iterator[str]:
    for rows in (part.get("variants") or {}).values():
        for row in rows.values():
            yield from row
    for block in part.get("blocks") or []:
        yield from _of_variants(block)


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
    """Rows of a plan or of a study, each with the `settings` that distinguish it in the grid."""
    keys = crossed(grid)
    return [{**row, "settings": settings_of(row, keys)} for row in rows]


def settings_of(row: Mapping[str, Any], keys: Collection[str]) -> Settings:
    """A run's values of those `keys` that are no axis of every study, sorted by name.

    A key is a column of the row by its own name, as a plan has it, or by its last part.
    """
    names = sorted(key for key in keys if key not in {*AXES, *SHORT.values(), *LR})
    columns = {name: name if name in row else name.rpartition(".")[2] for name in names}
    return tuple((name, str(row[column])) for name, column in columns.items() if column in row)
