"""The axes of studies: the one list that grids, run names, plans, maps, tables and figures read.

A grid adds axes of its own: any config key that it crosses. The list stands in this room because
the analysis, which knows no run's configuration, reads it too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

# How far beyond the sizes of its runs a study knows the legal ones, as a factor.
REACH = 2.0


@dataclass(frozen=True)
class Axis:
    """A setting that a study varies.

    `name` is its column in a plan and what grids and rules call it, `key` its config key. `prefix`
    comes before its value in the names of runs. `label` is what figures call it, `heading` what
    tables do; `unit` follows a value. Runs that differ in `replicate` axes alone are replicates.
    """

    name: str
    key: str
    prefix: str
    label: str
    heading: str
    unit: str = ""
    kind: type = float
    solvable: bool = True
    replicate: bool = False

    def of(self, run: Any) -> Any:
        """The value in a run's configuration, which has the groups of `key` as attributes."""
        return attrgetter(self.key)(run)

    def short(self, value: Any) -> str:
        """The value in a name: d50, w0.5, bs128."""
        return f"{self.prefix}{'' if _is_number(value) else '='}{plain(value)}"

    def text(self, value: Any) -> str:
        """The value in words: 16 px, batch size 128."""
        return f"{plain(value)} {self.unit}" if self.unit else f"{self.label} {plain(value)}"


AXES = (
    Axis("depth", "model.depth", "d", "depth", "depth"),
    Axis("width", "model.width", "w", "width", "width"),
    Axis("resolution", "data.resolution", "r", "resolution", "px", unit="px", kind=int),
    Axis("epochs", "train.epochs", "e", "training length", "epochs", unit="ep", kind=int),
    Axis("seed", "seed", "s", "seed", "seed", kind=int, solvable=False, replicate=True),
)
KEYS = {axis.name: axis.key for axis in AXES}
NAMES = {axis.key: axis.name for axis in AXES}
EPOCHS = "epochs"
# Groups of which a block of a grid may choose a file.
FILE_GROUPS = ("model", "train")
# Replicates share these.
CELL_AXES = tuple(axis for axis in AXES if not axis.replicate)


def config_key(name: str) -> str:
    """The config key of an axis, by its short name or by the key itself."""
    return KEYS.get(name, name)


def short_name(key: str) -> str:
    """The short name of an axis; a key that has none is its own name."""
    return NAMES.get(key, key)


def crossed(part: object) -> set[str]:
    """Names of axes of a grid, as it gives them; under a condition those with several values.

    Values tied to others in `points` are not among them: they go along with an axis. Grids are read
    before they are checked, and from stores: what is no grid has none.
    """
    part = _mapping(part)
    found = {*map(str, _mapping(part.get("axes")))}
    for condition in _list(part.get("when")):
        axes = _mapping(_mapping(condition).get("axes"))
        found |= {str(k) for k, v in axes.items() if not isinstance(v, list) or len(v) > 1}
    return found.union(*map(crossed, _list(part.get("blocks"))))


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def own_axes(grid: Mapping[str, Any]) -> list[Axis]:
    """The axes of a grid beside AXES, by key; `labels` of the grid say what figures call them.

    The prefix of batch_size is bs, that of dropout dropout; one that is taken already is spelt out.
    """
    keys = sorted({config_key(name) for name in crossed(grid)} - NAMES.keys())
    last = {key: key.rpartition(".")[2] for key in keys}
    words = {key: name.split("_") for key, name in last.items()}
    initials = {k: "".join(w[0] for w in v if w) if len(v) > 1 else v[0] for k, v in words.items()}
    taken = Counter([*(axis.prefix for axis in AXES), *initials.values()])
    labels = _mapping(grid.get("labels"))
    called = {key: str(labels.get(key, " ".join(words[key]))) for key in keys}
    prefix = {key: short if taken[short] == 1 else key for key, short in initials.items()}
    return [Axis(k, k, prefix[k], called[k], called[k], solvable=False) for k in keys]


def display_name(values: Mapping[str, Any], own: Sequence[Axis]) -> str:
    """A readable name of a run, such as d26-w0.5-r32-e10-bs128-s0; without a seed, of a cell.

    It tells runs of one study apart; ids tell apart those of all.
    """
    return "-".join(axis.short(value) for axis, value in _named(values, own))


def spaced_name(values: Mapping[str, Any], own: Sequence[Axis], length: str = EPOCHS) -> str:
    """The same for people who know no prefixes: d26 w0.5 32px 10ep bs128 s0, or 10 steps."""
    counted = {} if length == EPOCHS else {EPOCHS: f" {length}"}
    units = {axis.name: counted.get(axis.name, axis.unit) for axis in AXES}
    return " ".join(
        f"{plain(value)}{unit}" if (unit := units.get(axis.name, "")) else axis.short(value)
        for axis, value in _named(values, own)
    )


def _named(values: Mapping[str, Any], own: Sequence[Axis]) -> list[tuple[Axis, Any]]:
    """The axes that names show, with the values there are."""
    axes = (*CELL_AXES, *own, *(axis for axis in AXES if axis.replicate))
    known = [(axis, value) for axis in axes if (value := values.get(axis.name)) not in (None, "")]
    # What is no image has a side of 1 px.
    return [(axis, value) for axis, value in known if axis.name != "resolution" or value != 1]


def length_of(grid: Mapping[str, Any]) -> str:
    """What a study calls its length of training: epochs, or what its program counts."""
    return str(_mapping(grid.get("task")).get("length") or EPOCHS)


def cell_axes(length: str, sides: Iterable[float]) -> list[Axis]:
    """The axes that all studies have, in a study's own word for its length of training.

    Without the resolution where all sides are 1 px, which is none of an image.
    """
    axes = [
        replace(axis, unit=length) if axis.name == EPOCHS != length else axis for axis in CELL_AXES
    ]
    return [axis for axis in axes if axis.name != "resolution" or {*sides} != {1}]


def ordered(values: Iterable[Any]) -> list[Any]:
    """Values of an axis, each once: numbers by size, even if written as text, then texts."""
    return sorted(set(values), key=sort_key)


def sort_key(value: Any) -> tuple[bool, float, str]:
    """Orders numbers by size, even if written as text, before texts."""
    return (False, float(value), "") if _is_number(value) else (True, 0.0, str(value))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def plain(value: Any) -> str:
    """A value without needless digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)
