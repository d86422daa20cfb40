"""The words of a grid file, checked: blocks of axes, tied points, variants, conditions, solves.

Everything in a grid is read here before any run is looked at, so that a mistake anywhere in the
file is found before anything starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require, suggest
from scaling_study.config.axes import AXES
from scaling_study.grid.expression import Expression, condition

Point = dict[str, Any]
# The key of a point under which the name of its variant stands; it is no setting.
VARIANT = "variant"
# Costs that a condition may ask for, in the words of the plan's columns.
COSTS = (
    *("params", "flops", "activations", "train_flops", "steps", "n_train", "n_val", "lr"),
    *("memory_bytes", "checkpoint_bytes", "disk_bytes", "data_bytes"),
    *("step_time_s", "forecast_s", "gpu_hours"),
)
# What an equal-compute axis can be solved for, and which axes do not change it.
TARGETS: dict[str, tuple[str, ...]] = {
    "flops": ("epochs",),
    "train_flops": (),
    "params": ("epochs", "resolution"),
    "activations": ("epochs",),
    "step_time_s": ("epochs",),
}
SOLVABLE = ("depth", "width", "resolution", "epochs")
TOLERANCE = 0.05
ABOVE_0 = "must be a number above 0"
# More than anyone trains, and what is planned in minutes.
MOST_POINTS = 1_000_000
# What the top of a grid and each of its blocks may say.
BLOCK_KEYS = ("axes", "points", "variants", "when", "solve", "where")
CUMULATIVE, INDEPENDENT = "cumulative", "independent"


@dataclass(frozen=True)
class Solve:
    """Find `axis` so that `quantity` meets each target, `tolerance` being a relative difference."""

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

    def keys(self) -> set[str]:
        """The config keys that the block varies."""
        tied = {key for point in (*self.points, *self.variants.values()) for key in point}
        more = {key for w in self.when for key in (*w.axes, *(k for p in w.points for k in p))}
        solved = {AXES[self.solve.axis]} if self.solve else set()
        return {*self.axes, *tied, *more, *solved}

    def size(self) -> int:
        """How many candidates it has, before `when` adds some."""
        targets = len(self.solve.targets) if self.solve else 1
        tied = len(self.points) * max(1, len(self.variants))
        return tied * prod(map(len, self.axes.values())) * targets


def read_block(part: Mapping[str, Any], known: Mapping[str, Any], path: str) -> Block:
    """The block under `path` of a grid; `known` are the config keys that may vary.

    Raises:
        InputError: anything in it that is unknown or of the wrong shape, or an axis given twice.
    """
    axes = _axes(part.get("axes") or {}, known, f"{path}.axes")
    points = _points(part.get("points") or [{}], known, f"{path}.points")
    variants = _variants(part.get("variants") or {}, known, f"{path}.variants")
    solve = _solve(part.get("solve") or {}, f"{path}.solve")
    solved = dict.fromkeys([AXES[solve.axis]] if solve else [])
    refuse_twice(path, axes=axes, points=_union(points), solve=solved)
    refuse_twice(path, axes=axes, variants=_union([*variants.values()]), solve=solved)
    names = {*AXES, *known, *COSTS, VARIANT}
    return Block(
        axes=axes,
        points=points,
        variants=variants,
        when=_whens(part.get("when") or [], known, f"{path}.when"),
        solve=solve,
        where=[
            _condition(text, names, f"{path}.where")
            for text in _list(part.get("where"), f"{path}.where")
        ],
    )


def refuse_twice(path: str, **parts: Mapping[str, Any]) -> None:
    """Raise an InputError if two parts of a grid set the same key."""
    seen: dict[str, str] = {}
    for name, keys in parts.items():
        for key in keys:
            if key in seen:
                raise InputError(
                    f"{path}: {key} is in {seen[key]} and in {name}; leave it in one of them"
                )
            seen[key] = name


def check_keys(part: object, allowed: Sequence[str], path: str) -> Mapping[str, Any]:
    """`part` as a mapping that says nothing but `allowed`."""
    if not isinstance(part, Mapping):
        raise InputError(f"{path}={part!r}: must be a mapping with {', '.join(allowed)}")
    for key in part:
        if key not in allowed:
            near = suggest(str(key), list(allowed))
            if key in AXES and "axes" in allowed:
                near = f" (did you mean {path}.axes.{key}?)"
            raise InputError(
                f"{path}.{key}: no such part of a grid{near}; known: {', '.join(allowed)}"
            )
    return part


def config_key(name: object, known: Mapping[str, Any], path: str) -> str:
    """The config key that an axis name stands for."""
    key = AXES.get(str(name), str(name))
    if key not in known:
        if within := next((k for k in known if k.startswith(f"{key}.")), None):
            raise InputError(
                f"{path}.{name}: a group of settings; an axis is one of them, as in "
                f"'++{path}={{{within}: […]}}'"
            )
        names = [*AXES, *known]
        raise InputError(
            f"{path}.{name}: no such axis{suggest(str(name), names)}; "
            f"axes are {', '.join(AXES)} or any key of the run config"
        )
    return key


def _by_key(part: Mapping[Any, Any], known: Mapping[str, Any], path: str) -> Point:
    """Values by config key; a short name and its key may not both be there."""
    names: dict[str, object] = {}
    for name in part:
        key = config_key(name, known, path)
        if key in names:
            raise InputError(f"{path}: {names[key]} and {name} are the same setting; leave one")
        names[key] = name
    return {key: part[name] for key, name in names.items()}


def _union(points: Sequence[Point]) -> dict[str, None]:
    return {key: None for point in points for key in point}


def _list(values: object, path: str) -> list[Any]:
    if values is None:
        return []
    if not isinstance(values, list | tuple):
        raise InputError(f"{path}={values!r}: must be a list")
    return list(values)


def _axes(axes: object, known: Mapping[str, Any], path: str) -> dict[str, list[Any]]:
    if not isinstance(axes, Mapping):
        raise InputError(f"{path}={axes!r}: must map axis names to lists of values")
    named = _by_key({name: (name, values) for name, values in axes.items()}, known, path)
    return {key: _values(str(name), values, path) for key, (name, values) in named.items()}


def _points(points: object, known: Mapping[str, Any], path: str) -> list[Point]:
    if not isinstance(points, list | tuple) or not all(isinstance(p, Mapping) for p in points):
        raise InputError(f"{path}={points!r}: must be a list of mappings, {{depth: 26, …}}")
    return [_by_key(point, known, path) for point in points]


def _variants(part: object, known: Mapping[str, Any], path: str) -> dict[str, Point]:
    """Overrides by name; of cumulative ones each has those before it too."""
    modes = check_keys(part, (CUMULATIVE, INDEPENDENT), path)
    require(len(modes) < 2, path, dict(modes), "either cumulative or independent, not both")
    found: dict[str, Point] = {}
    before: Point = {}
    for mode, rows in modes.items():
        if not isinstance(rows, Mapping) or not all(isinstance(r, Mapping) for r in rows.values()):
            raise InputError(f"{path}.{mode}={rows!r}: must map names to overrides, {{se: {{…}}}}")
        for name, row in rows.items():
            own = _by_key(row, known, f"{path}.{mode}.{name}")
            before = {**before, **own} if mode == CUMULATIVE else own
            found[str(name)] = before
    return found


def _whens(parts: object, known: Mapping[str, Any], path: str) -> list[When]:
    found = []
    for number, part in enumerate(_list(parts, path)):
        where = f"{path}[{number}]"
        checked = check_keys(part, ("if", "axes", "points"), where)
        found.append(
            When(
                _if(checked.get("if"), {*AXES, *known, VARIANT}, f"{where}.if"),
                _axes(checked.get("axes") or {}, known, f"{where}.axes"),
                _points(checked.get("points") or [{}], known, f"{where}.points"),
            )
        )
    return found


def _condition(text: object, names: set[str], path: str) -> Expression:
    """The condition that stands under `path`."""
    try:
        return condition(text, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _if(text: object, names: set[str], path: str) -> Expression:
    """A condition on settings alone: costs are known once a point is a run."""
    test = _condition(text, names | set(COSTS), path)
    if costs := sorted(test.names - names):
        raise InputError(f"{path}: {test.text!r}: {costs[0]} is a cost; only where asks for those")
    return test


def _solve(part: object, path: str) -> Solve | None:
    axes = check_keys(part, SOLVABLE, path)
    require(len(axes) < 2, path, dict(axes), "one axis at a time can be solved")
    for axis, spec in axes.items():
        where = f"{path}.{axis}"
        spec = check_keys(spec, (*TARGETS, "tolerance"), where)
        quantities = [name for name in spec if name != "tolerance"]
        if len(quantities) != 1:
            raise InputError(
                f"{where}={dict(spec)}: must give targets of one of {', '.join(TARGETS)}"
            )
        (quantity,) = quantities
        require(
            axis not in TARGETS[quantity], where, quantity, f"{axis} does not change {quantity}"
        )
        targets = _values(quantity, spec[quantity], where)
        tolerance = spec.get("tolerance", TOLERANCE)
        for value in targets:
            require(_within(value, 1e30), f"{where}.{quantity}", repr(value), ABOVE_0)
        allowed = f"{ABOVE_0} and below 1, as 0.05 for 5 %"
        require(_within(tolerance, 1), f"{where}.tolerance", repr(tolerance), allowed)
        return Solve(axis, quantity, tuple(float(t) for t in targets), float(tolerance))
    return None


def _within(value: object, end: float) -> bool:
    """Whether it is a number above 0 and below `end`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < end


def _values(name: str, values: Any, path: str) -> list[Any]:
    """A list as it is; a string by Hydra's sweep grammar: 'range(0,5)', 'choice(a,b)', '1,2'."""
    if isinstance(values, str):
        values = _sweep(name, values, path)
    if not isinstance(values, list) or not values:
        raise InputError(
            f"{path}.{name}={values!r}: must be a list of values, or range(…) or choice(…)"
        )
    return values


def _sweep(name: str, text: str, path: str) -> list[Any]:
    try:
        override = OverridesParser.create().parse_override(f"{AXES.get(name, name)}={text}")
        if not override.is_sweep_override():
            return [override.value()]
        return list(islice(override.sweep_iterator(), MOST_POINTS + 1))
    except (HydraException, ValueError) as error:
        raise InputError(f"{path}.{name}={text!r}: not a sweep of Hydra's: {error}") from None
