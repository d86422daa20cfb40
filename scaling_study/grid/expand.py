"""A grid: what varies. It is turned into candidates, each a point with what is still to be decided.

A grid is the union of its `blocks` (or one block, without that word). A block's candidates are its
tied `points` x `variants` x `axes`; the top of the grid counts for every block. `when` adds axes to
the points that a condition holds for, `where` keeps those that all its conditions hold for, and
`solve` finds an axis's value for a target; costs are known only once a candidate is a run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.axes import AXES
from scaling_study.config.keys import study_name
from scaling_study.grid.expression import Expression
from scaling_study.grid.schema import (
    BLOCK_KEYS,
    MOST_POINTS,
    VARIANT,
    Block,
    Point,
    Solve,
    When,
    check_keys,
    read_block,
    refuse_twice,
)

# name: the study's folder; rules: what the analysis is to decide (analysis/prereg.yaml);
# planning: error and seed SD that a pilot measured, for the power calculation (analysis/power.py).
KEYS = ("name", *BLOCK_KEYS, "blocks", "rules", "planning")
FILE = "a grid's file begins with the line '# @package _global_', and has all it says under grid:"


@dataclass(frozen=True)
class Candidate:
    """A point of a grid before its cost is known.

    `solve` is to set one more axis to meet `target`; `where` are the conditions that need costs or
    the solved axis. `out` says why the point is no cell; empty if nothing speaks against it yet.
    """

    point: Point
    solve: Solve | None
    target: float | None
    where: tuple[Expression, ...]
    out: str = ""


def expand(grid: Mapping[str, Any], known: Mapping[str, Any] | Iterable[str]) -> list[Point]:
    """All points that no condition on axes leaves out, in order, each once; solves are not done.

    `known` are the config keys that may vary, with their values where conditions ask for them;
    short axis names are replaced by theirs.

    Raises:
        InputError: an unknown part of the grid or axis, an axis without values, or one given twice.
    """
    points: dict[str, Point] = {}
    for candidate in candidates(grid, known):
        if not candidate.out:
            points.setdefault(repr(sorted(candidate.point.items())), candidate.point)
    return list(points.values())


def candidates(
    grid: Mapping[str, Any], known: Mapping[str, Any] | Iterable[str]
) -> Iterator[Candidate]:
    """Every point of every block, those that conditions on axes leave out included.

    Raises:
        InputError: see `expand`; the whole grid is checked before the first candidate.
    """
    settings = dict(known) if isinstance(known, Mapping) else dict.fromkeys(known)
    blocks = read_blocks(grid, settings)
    if (size := sum(block.size() for block in blocks)) > MOST_POINTS:
        raise InputError(
            f"grid: at least {size:,} points; up to {MOST_POINTS:,} are planned: give fewer values"
        )
    for block in blocks:
        yield from _of_block(block, settings)


def read_blocks(grid: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Block]:
    """The grid's blocks, each joined with what the top of the grid says for all."""
    check_keys(grid, KEYS, "grid")
    top = read_block(grid, settings, "grid")
    parts = grid.get("blocks")
    if parts is None:
        return [top]
    if not isinstance(parts, list | tuple) or not parts:
        raise InputError(f"grid.blocks={parts!r}: must be a list of blocks, [{{axes: …}}, …]")
    blocks = []
    for number, part in enumerate(parts):
        path = f"grid.blocks[{number}]"
        own = read_block(check_keys(part, BLOCK_KEYS, path), settings, path)
        blocks.append(_joined(top, own, path))
    return blocks


def _joined(top: Block, own: Block, path: str) -> Block:
    shared, new = dict.fromkeys(top.keys()), dict.fromkeys(own.keys())
    refuse_twice(path, **{"the top of the grid": shared, "this block": new})
    if top.variants and own.variants:
        raise InputError(f"{path}.variants: the top of the grid has variants already")
    if top.solve and own.solve:
        raise InputError(f"{path}.solve: the top of the grid solves an axis already")
    return Block(
        axes={**top.axes, **own.axes},
        points=[a | b for a, b in product(top.points, own.points)],
        variants=top.variants or own.variants,
        when=[*top.when, *own.when],
        solve=top.solve or own.solve,
        where=[*top.where, *own.where],
    )


def _of_block(block: Block, settings: Mapping[str, Any]) -> Iterator[Candidate]:
    solved = {block.solve.axis, AXES[block.solve.axis]} if block.solve else set()
    free = {*AXES, *settings, VARIANT} - solved
    early = [test for test in block.where if test.names <= free]
    late = tuple(test for test in block.where if not test.names <= free)
    targets = block.solve.targets if block.solve else (None,)
    for point in _points(block, settings):
        failed = _failed(early, point, settings) if early else ""
        for target in targets:
            yield Candidate(point, block.solve, target, late, failed)


def _points(block: Block, settings: Mapping[str, Any]) -> Iterator[Point]:
    variants = [{VARIANT: name, **row} for name, row in block.variants.items()] or [{}]
    for tied, variant in product(block.points, variants):
        for values in product(*block.axes.values()):
            base = {**tied, **variant, **dict(zip(block.axes, values, strict=True))}
            yield from _with_more(base, block.when, settings) if block.when else (base,)


def _with_more(point: Point, whens: Sequence[When], settings: Mapping[str, Any]) -> list[Point]:
    points = [point]
    for when in whens:
        grown = []
        for p in points:
            if not when.condition.holds(lookup(when.condition, p, settings)):
                grown.append(p)
                continue
            for tied, values in product(when.points, product(*when.axes.values())):
                more = tied | dict(zip(when.axes, values, strict=True))
                if both := sorted(set(more) & set(p)):
                    raise InputError(
                        f"grid.when: {both[0]} is set already where {when.condition.text!r} holds"
                    )
                grown.append(p | more)
        points = grown
    return points


def lookup(test: Expression, point: Point, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `test` asks for, from the point, else from the settings that do not vary."""
    found = {}
    for name in test.names:
        key = AXES.get(name, name)
        found[name] = point[key] if key in point else settings.get(key)
    return found


def _failed(tests: Sequence[Expression], point: Point, settings: Mapping[str, Any]) -> str:
    for test in tests:
        values = lookup(test, point, settings)
        if not test.holds(values):
            return failed(test, values)
    return ""


def failed(test: Expression, values: Mapping[str, Any]) -> str:
    """Why a condition leaves a cell out, with the values that it looked at."""
    shown = ", ".join(
        f"{n}={v:g}" if isinstance(v, float) else f"{n}={v}" for n, v in values.items()
    )
    return f"where {test.text!r} is false ({shown})"


def declared_grid(grid: Any, overrides: Sequence[str]) -> dict[str, Any]:
    """The grid that a command line adds, unless `overrides` also set what it varies.

    Raises:
        InputError: no grid (the message lists those there are), or an axis set as one value.
    """
    if not grid:
        if added := [text for text in overrides if text.startswith("+grid=")]:
            raise InputError(f"{added[0]}: it says nothing of a grid; {FILE}")
        raise InputError(f"no grid: add +grid=NAME; grids: {', '.join(names())}")
    if not isinstance(grid, dict):
        raise InputError(f"grid={grid!r}: must be a mapping with {', '.join(KEYS)}")
    if "name" not in grid:
        raise InputError(
            "grid.name is missing: it names the study's folder"
            + ("" if set(grid) & set(KEYS) else f"; {FILE}")
        )
    study_name(grid["name"])
    varied = axis_keys(grid)
    short = {key: name for name, key in AXES.items()}
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key in varied:
            name = short.get(key, key)
            raise InputError(
                f"{override}: {name} is an axis of the grid {grid['name']}; "
                f"set it by {_spelling(grid, name, value)}"
            )
    return grid


def _spelling(grid: Mapping[str, Any], name: str, value: str) -> str:
    """How the axis `name` of this grid is set on a command line."""
    if any(name in point for point in grid.get("points") or []):
        return f"'grid.points=[{{{name}: {value}, …}}, …]'"
    if name in (grid.get("axes") or {}):
        return f"'grid.axes={{{name}: […]}}'" if "." in name else f"grid.axes.{name}=[{value}]"
    if name in (grid.get("solve") or {}):
        return f"grid.solve.{name}={{…}}"
    return "editing the grid's file, which varies it in a block, a variant or a condition"


def names() -> list[str]:
    """Names of the grids that ship with the project."""
    folder = data_dir("sweeps") / "grid"
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")
    )


def axis_keys(grid: Mapping[str, Any]) -> set[str]:
    """The config keys that `grid`, which need not be checked yet, varies."""
    return {AXES.get(name, name) for name in _varied(grid)}


def _varied(part: object) -> Iterator[str]:
    """Names under axes, points, variants and solve, at any depth of a grid."""
    if isinstance(part, list | tuple):
        for item in part:
            yield from _varied(item)
    if not isinstance(part, Mapping):
        return
    _check_shape(part)
    yield from part.get("axes") or {}
    yield from part.get("solve") or {}
    for point in part.get("points") or []:
        yield from point
    for rows in (part.get("variants") or {}).values():
        for row in rows.values() if isinstance(rows, Mapping) else ():
            yield from row if isinstance(row, Mapping) else ()
    for name in ("blocks", "when"):
        yield from _varied(part.get(name))


MAPPINGS = {
    "axes": "axis names to lists of values",
    "solve": "an axis to its targets, {width: {flops: [1e9]}}",
    "variants": "cumulative or independent to named overrides",
}


def _check_shape(part: Mapping[str, Any]) -> None:
    for name, accepted in MAPPINGS.items():
        if not isinstance(values := part.get(name) or {}, Mapping):
            raise InputError(f"grid.{name}={values!r}: must map {accepted}")
    points = part.get("points") or []
    if not isinstance(points, list | tuple) or not all(isinstance(p, Mapping) for p in points):
        raise InputError(f"grid.points={points!r}: must be a list of mappings, {{depth: 26, …}}")
