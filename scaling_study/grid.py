"""A grid: what varies. `expand` turns it into points, each a mapping from config key to value."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from scaling_study.config import AXES
from scaling_study.errors import InputError
from scaling_study.paths import data_dir
from scaling_study.settings import study_name
from scaling_study.values import suggest

Point = dict[str, Any]
# name: the study's folder; rules: what the analysis is to decide (analysis/prereg.yaml);
# planning: error and seed SD that a pilot measured, for the power calculation (analysis/power.py).
KEYS = ("name", "axes", "points", "rules", "planning")


def expand(grid: Mapping[str, Any], known: Iterable[str]) -> list[Point]:
    """All points: `points` (tied values) times the product of `axes`, in order, each once.

    `known` are the config keys that may vary; short axis names are replaced by theirs.

    Raises:
        InputError: an unknown part of the grid or axis, an axis without values, or one given twice.
    """
    _check_shape(grid)
    for key in grid:
        if key not in KEYS:
            raise InputError(
                f"grid.{key}: no such part of a grid{suggest(key, list(KEYS))}; "
                f"known: {', '.join(KEYS)}"
            )
    axes = _axes(grid.get("axes") or {}, list(known))
    tied = _points(grid.get("points") or [{}], list(known))
    for point in tied:
        if both := sorted(set(point) & set(axes)):
            raise InputError(f"grid: {both[0]} is in axes and in points; leave it in one of them")
    points: dict[str, Point] = {}
    for fixed, values in product(tied, product(*axes.values())):
        point = fixed | dict(zip(axes, values, strict=True))
        points.setdefault(repr(sorted(point.items())), point)
    return list(points.values())


def declared_grid(grid: Any, overrides: Sequence[str]) -> dict[str, Any]:
    """The grid that a command line adds, unless `overrides` also set what it varies.

    Raises:
        InputError: no grid (the message lists those there are), or an axis set as one value.
    """
    if not isinstance(grid, dict) or "name" not in grid:
        raise InputError(f"no grid: add +grid=NAME; grids: {', '.join(names())}")
    study_name(grid["name"])
    _check_shape(grid)
    varied = axis_keys(grid)
    short = {key: name for name, key in AXES.items()}
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key in varied:
            name = short.get(key, key)
            how = f"'grid.axes={{{name}: […]}}'" if "." in name else f"grid.axes.{name}=[{value}]"
            tied = any(name in point for point in grid.get("points") or [])
            how = f"'grid.points=[{{{name}: {value}, …}}, …]'" if tied else how
            raise InputError(f"{override}: {name} is an axis of this grid; set it by {how}")
    return grid


def names() -> list[str]:
    """Names of the grids that ship with the project."""
    return sorted(path.stem for path in data_dir("sweeps").glob("grid/*.yaml"))


def axis_keys(grid: Mapping[str, Any]) -> set[str]:
    """The config keys that `grid` varies."""
    names = {*(grid.get("axes") or {}), *(key for p in grid.get("points") or [] for key in p)}
    return {AXES.get(name, name) for name in names}


def _check_shape(grid: Mapping[str, Any]) -> None:
    axes, points = grid.get("axes") or {}, grid.get("points") or []
    if not isinstance(axes, Mapping):
        raise InputError(f"grid.axes={axes!r}: must map axis names to lists of values")
    if not isinstance(points, list | tuple) or not all(isinstance(p, Mapping) for p in points):
        raise InputError(f"grid.points={points!r}: must be a list of mappings, {{depth: 26, …}}")


def _key(name: str, known: Sequence[str], where: str) -> str:
    key = AXES.get(name, name)
    if key not in known:
        names = [*AXES, *known]
        raise InputError(
            f"{where}.{name}: no such axis{suggest(name, names)}; "
            f"axes are {', '.join(AXES)} or any key of the run config"
        )
    return key


def _axes(axes: Mapping[str, Any], known: Sequence[str]) -> dict[str, list[Any]]:
    return {_key(n, known, "grid.axes"): _values(n, v) for n, v in axes.items()}


def _points(points: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[Point]:
    return [{_key(n, known, "grid.points"): v for n, v in point.items()} for point in points]


def _values(name: str, values: Any) -> list[Any]:
    """A list as it is; a string by Hydra's sweep grammar: 'range(0,5)', 'choice(a,b)', '1,2'."""
    if isinstance(values, str):
        values = _sweep(name, values)
    if not isinstance(values, list) or not values:
        raise InputError(
            f"grid.axes.{name}={values!r}: must be a list of values, or range(…) or choice(…)"
        )
    return values


def _sweep(name: str, text: str) -> list[Any]:
    try:
        override = OverridesParser.create().parse_override(f"{AXES.get(name, name)}={text}")
    except HydraException as error:
        raise InputError(f"grid.axes.{name}={text!r}: not a sweep of Hydra's: {error}") from None
    if not override.is_sweep_override():
        return [override.value()]
    return list(override.sweep_iterator())
