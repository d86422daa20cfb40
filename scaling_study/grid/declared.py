"""The grid that a command line adds, and what it varies before it is checked."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.config.keys import study_name
from scaling_study.config.program import SETTING_OF_PROGRAM
from scaling_study.grid.bases import refuse_overridden
from scaling_study.grid.schema import BLOCK_KEYS, OF_AXES, mapping, mappings
from scaling_study.grid.shipped import names
from scaling_study.study.axes import config_key, short_name

# name: the study's folder; question: what it asks, for people;
# outcome: what runs are compared by, if not what their task says (tasks/program.py);
# rules: what the analysis decides (analysis/rules/prereg.yaml);
# planning: error and seed SD that a pilot measured, for the power calculation (analysis/power.py);
# allocation: how many seeds each cell gets (analysis/rules/allocation.py);
# parents: runs that cells start from, as init: run(NAME) (scaling_study/grid/parents.py);
# labels: what figures call the axes that only this grid has;
# tuned: learning rates at the ends of arms (scaling_study/grid/tuned.py);
# one_trunk: lengths that share the constant part of a schedule (scaling_study/grid/one_trunk.py).
GRID_KEYS = (
    *("name", *BLOCK_KEYS, "blocks"),
    *("rules", "planning", "allocation", "parents", "labels", "tuned", "one_trunk"),
    *("question", "outcome"),
)
# Parts of a grid in which the names of settings may be short.
EPOCHS = "epochs"
VARYING = ("axes", "points", "variants", "when", "blocks", "labels")
SHAPES = {
    "axes": OF_AXES,
    "solve": "an axis to its targets, {width: {flops: [1e9]}}",
    "variants": "cumulative or independent to named overrides",
}
FILE = (
    "a grid's file begins with the line '# @package _global_', with no byte order mark before it, "
    "and has all it says under grid:"
)


def declared_grid(grid: Any, overrides: Sequence[str]) -> dict[str, Any]:
    """The grid that a command line adds; `overrides` may not set what it varies.

    InputError for no grid (the message lists those there are), or an axis set as one value.
    """
    if not grid:
        if added := [text for text in overrides if text.startswith("+grid=")]:
            raise InputError(f"{added[0]}: it says nothing of a grid; {FILE}")
        raise InputError(f"no grid: add +grid=NAME; grids: {', '.join(names())}")
    if not isinstance(grid, dict):
        raise InputError(f"grid={grid!r}: must be a mapping with {', '.join(GRID_KEYS)}")
    if "name" not in grid:
        hint = "" if set(grid) & set(GRID_KEYS) else f"; {FILE}"
        raise InputError(f"grid.name is missing: it names the study's folder{hint}")
    study_name(grid["name"])
    question = grid.get("question", "")
    require(isinstance(question, str), "grid.question", question, "must be a text")
    refuse_overridden(grid, overrides)
    varied = axis_keys(grid)
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key in varied:
            name = short_name(key)
            axis = f"{name} is an axis of the grid {grid['name']}"
            raise InputError(f"{override}: {axis}; set it by {_spelling(grid, name, value)}")
    return grid


def with_full_names(grid: Any, settings: Mapping[str, Any]) -> Any:
    """The grid with the config keys of a program's settings where it has their short names.

    What the program calls its length of training is the axis epochs.
    """
    task = settings.get("task")
    if not isinstance(task, Mapping) or not isinstance(grid, Mapping):
        return grid
    own = task.get("settings")
    names = {str(name): SETTING_OF_PROGRAM + str(name) for name in own or {}}
    if task.get("length"):
        names[str(task["length"])] = EPOCHS
    return {key: _renamed(value, names) if key in VARYING else value for key, value in grid.items()}


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(one, names) for one in part]
    if not isinstance(part, Mapping):
        return part
    return {names.get(key, key): _renamed(value, names) for key, value in part.items()}


def _spelling(grid: Mapping[str, Any], name: str, value: str) -> str:
    """How the axis `name` of this grid is set on a command line."""
    if any(name in point for point in grid.get("points") or []):
        return f"'grid.points=[{{{name}: {value}, …}}, …]'"
    if name in (grid.get("axes") or {}):
        return f"'grid.axes={{{name}: […]}}'" if "." in name else f"grid.axes.{name}=[{value}]"
    if name in (grid.get("solve") or {}):
        return f"grid.solve.{name}={{…}}"
    return "editing the grid's file, which varies it in a block, a variant or a condition"


def axis_keys(grid: Mapping[str, Any]) -> set[str]:
    """The config keys that `grid`, which need not be checked yet, varies."""
    return set(map(config_key, _varied(grid)))


def _varied(part: object) -> Iterator[str]:
    """Names under axes, points, variants and solve, at any depth of a grid."""
    if isinstance(part, list | tuple):
        yield from chain.from_iterable(map(_varied, part))
    if not isinstance(part, Mapping):
        return
    axes, solve, variants = (
        mapping(part.get(name) or {}, f"grid.{name}", accepted) for name, accepted in SHAPES.items()
    )
    points = mappings(part.get("points") or [], "grid.points")
    modes = (rows.values() for rows in variants.values() if isinstance(rows, Mapping))
    overrides = (row for row in chain(*modes) if isinstance(row, Mapping))
    yield from chain(axes, solve, *points, *overrides)
    yield from _varied([part.get("blocks"), part.get("when")])
