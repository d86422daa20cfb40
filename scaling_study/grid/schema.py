"""Schema of a grid file: blocks of axes, tied points, variants, conditions and solves.

The whole grid is checked before any run is planned: a mistake anywhere is found at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.expression import Expression, condition
from scaling_study.common.validation import is_number, require, suggest
from scaling_study.config.scale_dependent import GROUPS
from scaling_study.grid.axis_values import axis_values
from scaling_study.study.axes import AXES, KEYS, config_key

Point = dict[str, Any]
# Key of a point that holds the name of its variant; it is no setting.
VARIANT = "variant"
# Costs that a condition may use, named as the plan's columns.
COSTS = (
    *("params", "flops", "activations", "train_flops", "steps", "n_train", "n_val", "lr"),
    *("memory_bytes", "checkpoint_bytes", "disk_bytes", "data_bytes"),
    *("step_time_s", "forecast_s", "gpu_hours"),
)
# Quantities that an axis can be solved for, and the axes that do not change them.
TARGETS: dict[str, tuple[str, ...]] = {
    "flops": ("epochs",),
    "train_flops": (),
    "params": ("epochs", "resolution"),
    "activations": ("epochs",),
    "step_time_s": ("epochs",),
}
SOLVABLE = tuple(axis.name for axis in AXES if axis.solvable)
TOLERANCE = 0.05
ABOVE_0 = "must be a number above 0"
# Keys of a grid's top and of each of its blocks.
BLOCK_KEYS = ("axes", "points", "variants", "when", "solve", "where")
OF_AXES = "axis names to lists of values"
CUMULATIVE, INDEPENDENT = "cumulative", "independent"


@dataclass(frozen=True)
class Solve:
    """Find `axis` so that `quantity` meets each target within the relative `tolerance`."""

    axis: str
    quantity: str
    targets: tuple[float, ...]
    tolerance: float


@dataclass(frozen=True)
class When:
    """More axes and tied points, for the points that the condition holds for."""

    condition: Expression
    axes: Mapping[str, list[Any]]
    points: Sequence[Point]


@dataclass(frozen=True)
class Block:
    """One product of a grid, checked; keys are config keys."""

    axes: Mapping[str, list[Any]]
    points: Sequence[Point]
    variants: Mapping[str, Point]
    when: Sequence[When]
    solve: Solve | None
    where: Sequence[Expression]
    files: Point

    def keys(self) -> set[str]:
        """The config keys that the block varies."""
        points = [*self.points, *self.variants.values(), *(p for w in self.when for p in w.points)]
        solved = {KEYS[self.solve.axis]} if self.solve else set()
        return solved.union(self.axes, *points, *(when.axes for when in self.when))

    def size(self) -> int:
        """Number of candidates before `when` adds some."""
        targets = len(self.solve.targets) if self.solve else 1
        tied = len(self.points) * max(1, len(self.variants))
        return tied * prod(map(len, self.axes.values())) * targets


def files_of(point: Point) -> dict[str, str]:
    """The files of groups that a block or a parent chooses: as keys of a point groups hold them."""
    return {group: point[group] for group in GROUPS if group in point}


def read_block(
    part: Mapping[str, Any], known: Mapping[str, Any], path: str, files: Point | None = None
) -> Block:
    """The block under `path`, of keys `known`; InputError for a wrong part or an axis set twice."""
    axes, points = _axes_and_points(part, known, path)
    variants = _variants(part.get("variants") or {}, known, f"{path}.variants")
    solve = _solve(part.get("solve") or {}, f"{path}.solve")
    solved = dict.fromkeys([KEYS[solve.axis]] if solve else [])
    refuse_twice(path, axes=axes, points=dict.fromkeys(chain(*points)), solve=solved)
    refuse_twice(path, axes=axes, variants=dict.fromkeys(chain(*variants.values())), solve=solved)
    whens = enumerate(_list(part.get("when") or [], f"{path}.when"))
    when = [_when(one, known, f"{path}.when[{number}]") for number, one in whens]
    names, tests = {*KEYS, *known, *COSTS, VARIANT}, _list(part.get("where"), f"{path}.where")
    where = [_condition(text, names, f"{path}.where") for text in tests]
    return Block(axes, points, variants, when, solve, where, files or {})


def refuse_twice(path: str, **parts: Mapping[str, Any]) -> None:
    """Raise an InputError if two parts of a grid set the same key."""
    seen: dict[str, str] = {}
    for name, keys in parts.items():
        for key in keys:
            if (first := seen.setdefault(key, name)) != name:
                both = f"{key} is in {first} and in {name}"
                raise InputError(f"{path}: {both}; leave it in one of them")


def check_keys(part: object, allowed: Sequence[str], path: str) -> Mapping[str, Any]:
    """`part`, which must be a mapping with no other keys than `allowed`."""
    if not isinstance(part, Mapping):
        raise InputError(f"{path}={part!r}: must be a mapping with {', '.join(allowed)}")
    for key in part:
        if key not in allowed:
            near, known = suggest(str(key), allowed), ", ".join(allowed)
            if key in KEYS and "axes" in allowed:
                near = f" (did you mean {path}.axes.{key}?)"
            raise InputError(f"{path}.{key}: no such part of a grid{near}; known: {known}")
    return part


def checked_key(name: object, known: Mapping[str, Any], path: str) -> str:
    """The config key that an axis name stands for."""
    key = config_key(str(name))
    if key in known:
        return key
    if within := next((k for k in known if k.startswith(f"{key}.")), None):
        one = f"an axis is one of them, as in '++{path}={{{within}: […]}}'"
        raise InputError(f"{path}.{name}: a group of settings; {one}")
    near, axes = suggest(str(name), [*KEYS, *known]), ", ".join(KEYS)
    every = f"axes are {axes} or any key of the run config"
    raise InputError(f"{path}.{name}: no such axis{near}; {every}")


def by_key(part: Mapping[Any, Any], known: Mapping[str, Any], path: str) -> Point:
    """Values by config key; an axis name and its key may not both be given."""
    names: dict[str, object] = {}
    for name in part:
        if (first := names.setdefault(checked_key(name, known, path), name)) != name:
            raise InputError(f"{path}: {first} and {name} are the same setting; leave one")
    return {key: part[name] for key, name in names.items()}


def _list(values: Any, path: str) -> Sequence[Any]:
    values = () if values is None else values
    require(isinstance(values, list | tuple), path, repr(values), "must be a list")
    return list(values)


def mapping(values: object, path: str, accepted: str) -> Mapping[Any, Any]:
    """`values`, which must be a mapping; `accepted` says of what to what."""
    if isinstance(values, Mapping):
        return values
    raise InputError(f"{path}={values!r}: must map {accepted}")


def mappings(points: object, path: str) -> Sequence[Mapping[Any, Any]]:
    """`points`, which must be a list of mappings."""
    if isinstance(points, list | tuple) and all(isinstance(p, Mapping) for p in points):
        return points
    raise InputError(f"{path}={points!r}: must be a list of mappings, {{depth: 26, …}}")


def _axes_and_points(
    part: Mapping[str, Any], known: Mapping[str, Any], path: str
) -> tuple[dict[str, list[Any]], list[Point]]:
    at, tied_at = f"{path}.axes", f"{path}.points"
    given = mapping(part.get("axes") or {}, at, OF_AXES)
    named = by_key({name: (str(name), values) for name, values in given.items()}, known, at)
    axes = {key: axis_values(name, values, at) for key, (name, values) in named.items()}
    points = mappings(part.get("points") or [{}], tied_at)
    return axes, [by_key(point, known, tied_at) for point in points]


def _variants(part: object, known: Mapping[str, Any], path: str) -> dict[str, Point]:
    """Overrides by name; cumulative ones include those before them."""
    modes = check_keys(part, (CUMULATIVE, INDEPENDENT), path)
    require(len(modes) < 2, path, dict(modes), "either cumulative or independent, not both")
    found: dict[str, Point] = {}
    before: Point = {}
    for mode, rows in modes.items():
        good = isinstance(rows, Mapping) and all(isinstance(r, Mapping) for r in rows.values())
        require(good, f"{path}.{mode}", repr(rows), "must map names to overrides, {se: {…}}")
        for name, row in rows.items():
            own = by_key(row, known, f"{path}.{mode}.{name}")
            before = {**before, **own} if mode == CUMULATIVE else own
            found[str(name)] = before
    return found


def _when(part: object, known: Mapping[str, Any], path: str) -> When:
    part = check_keys(part, ("if", "axes", "points"), path)
    names = {*KEYS, *known, VARIANT}
    test = _condition(part.get("if"), names.union(COSTS), f"{path}.if")
    # Costs are known only once a point is a run.
    if costs := sorted(test.names - names):
        only = f"{costs[0]} is a cost; only where asks for those"
        raise InputError(f"{path}.if: {test.text!r}: {only}")
    return When(test, *_axes_and_points(part, known, path))


def _condition(text: object, names: set[str], path: str) -> Expression:
    """The condition `text`, given under `path`."""
    try:
        return condition(text, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _solve(part: object, path: str) -> Solve | None:
    axes = check_keys(part, SOLVABLE, path)
    require(len(axes) < 2, path, dict(axes), "one axis at a time can be solved")
    for axis, spec in axes.items():
        where = f"{path}.{axis}"
        spec = check_keys(spec, (*TARGETS, "tolerance"), where)
        quantities = [name for name in spec if name != "tolerance"]
        accepted = f"must give targets of one of {', '.join(TARGETS)}"
        require(len(quantities) == 1, where, dict(spec), accepted)
        (quantity,) = quantities
        changes = axis not in TARGETS[quantity]
        require(changes, where, quantity, f"{axis} does not change {quantity}")
        targets = axis_values(quantity, spec[quantity], where)
        for value in targets:
            good = is_number(value) and 0 < value < 1e30
            require(good, f"{where}.{quantity}", repr(value), ABOVE_0)
        tolerance = spec.get("tolerance", TOLERANCE)
        good, below = is_number(tolerance) and 0 < tolerance < 1, "and below 1, as 0.05 for 5 %"
        require(good, f"{where}.tolerance", repr(tolerance), f"{ABOVE_0} {below}")
        return Solve(axis, quantity, tuple(map(float, targets)), float(tolerance))
    return None
