"""The settings that a grid's cells begin from: the command's, or with files that blocks choose.

A block that says `model: efficientnet` or `train: deit` compares networks of another family, or
another recipe, with those of the other blocks: its cells have that file of the group in place of
the command's, as parents may have (grid/parents.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import flat_items, require
from scaling_study.config.keys import key_of
from scaling_study.grid.schema import Point, files_of
from scaling_study.study.axes import FILE_GROUPS

Settings = Mapping[str, Any]
# The settings of a command with other files of some groups, as {model: efficientnet}.
Compose = Callable[[dict[str, str]], Settings]


class Bases:
    """The settings by the files of a point; each choice of files is composed once."""

    def __init__(self, settings: Settings, compose: Compose) -> None:
        self._compose = compose
        self._found: dict[tuple[tuple[str, str], ...], Settings] = {(): settings}
        self._known: dict[int, dict[str, Any]] = {}

    def of(self, point: Point) -> Settings:
        """The settings of a point before its values; InputError for a file that is not there."""
        key = tuple(files_of(point).items())
        if key not in self._found:
            self._found[key] = self._compose(dict(key))
        return self._found[key]

    def changed(self, change: Callable[[Settings], Settings]) -> "Bases":
        """The same, each changed in one way."""
        return Bases(change(self.of({})), lambda files: change(self.of(files)))

    def known(self, point: Point) -> dict[str, Any]:
        """The config keys that may be axes there, with the values they have where they are none."""
        base = self.of(point)
        if id(base) not in self._known:
            self._known[id(base)] = dict(flat_items(base))
        return self._known[id(base)]


def read_files(part: Mapping[str, Any], path: str) -> Point:
    """The files that a block chooses, as a point; InputError for what names none."""
    found = {group: part[group] for group in FILE_GROUPS if group in part}
    for group, name in found.items():
        good = isinstance(name, str) and bool(name)
        require(good, f"{path}.{group}", repr(name), f"must name a file of conf/{group}")
    return found


def refuse_overridden(grid: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Raise an InputError for an override of a group of which blocks of `grid` choose files."""
    blocks = grid.get("blocks")
    parts = blocks if isinstance(blocks, list | tuple) else ()
    chosen = {key for part in parts if isinstance(part, Mapping) for key in part} & {*FILE_GROUPS}
    for override in overrides:
        group = key_of(override).partition(".")[0]
        if group in chosen:
            where = f"blocks of the grid {grid['name']} choose files of {group}"
            raise InputError(f"{override}: {where}; set it in their points, axes or variants")
