"""A grid says what varies; it expands to candidates: points whose costs are not known yet.

A grid is the union of its `blocks` (or one block, without that word). A block's candidates are its
tied `points` x `variants` x `axes`; the top of the grid counts for every block. `when` adds axes to
the points that a condition holds for, `where` keeps those that all its conditions hold for, and
`solve` finds an axis's value for a target; costs are known only once a candidate is a run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.expression import Expression
from scaling_study.grid.axis_values import MOST_POINTS, check_labels
from scaling_study.grid.bases import read_files
from scaling_study.grid.declared import GRID_KEYS
from scaling_study.grid.schema import (
    BLOCK_KEYS,
    VARIANT,
    Block,
    Point,
    Solve,
    When,
    check_keys,
    read_block,
    refuse_twice,
)
from scaling_study.study.axes import FILE_GROUPS, KEYS, config_key, plain

# The config keys that may vary, with their values where conditions use them, by a point's files.
Known = Callable[[Point], Mapping[str, Any]]


@dataclass(frozen=True)
class Candidate:
    """A point of a grid before its cost is known.

    `solve` will set one more axis to meet `target`; `where` are the conditions that need costs or
    the solved axis. `out` is the reason why the point is no cell; empty if there is none yet.
    """

    point: Point
    solve: Solve | None
    target: float | None
    where: tuple[Expression, ...]
    out: str = ""


def candidates(grid: Mapping[str, Any], known: Known) -> Iterator[Candidate]:
    """Every point of every block, including those that conditions on axes exclude.

    Points have config keys in place of axis names. InputError for an unknown part or axis, an axis
    without values, or one given twice: the whole grid is checked before the first candidate.
    """
    blocks = read_blocks(grid, known)
    if (size := sum(block.size() for block in blocks)) > MOST_POINTS:
        raise InputError(
            f"grid: at least {size:,} points; up to {MOST_POINTS:,} are planned: give fewer values"
        )
    for block in blocks:
        yield from _of_block(block, known(block.files))


def read_blocks(grid: Mapping[str, Any], known: Known) -> list[Block]:
    """The grid's blocks, each joined with the top of the grid, which applies to all."""
    check_keys(grid, GRID_KEYS, "grid")
    top = read_block(grid, known({}), "grid")
    check_labels(grid)
    parts = grid.get("blocks")
    if parts is None:
        return [top]
    if not isinstance(parts, list | tuple) or not parts:
        raise InputError(f"grid.blocks={parts!r}: must be a list of blocks, [{{axes: …}}, …]")
    blocks = []
    for number, part in enumerate(parts):
        path = f"grid.blocks[{number}]"
        files = read_files(check_keys(part, (*FILE_GROUPS, *BLOCK_KEYS), path), path)
        blocks.append(_joined(top, read_block(part, known(files), path, files), path))
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
        files=own.files,
    )


def _of_block(block: Block, settings: Mapping[str, Any]) -> Iterator[Candidate]:
    solved = {block.solve.axis, KEYS[block.solve.axis]} if block.solve else set()
    free = {*KEYS, *settings, VARIANT} - solved
    early = [test for test in block.where if test.names <= free]
    late = tuple(test for test in block.where if not test.names <= free)
    targets = block.solve.targets if block.solve else (None,)
    for point in _points(block, settings):
        reasons = (failed(test, lookup(test, point, settings)) for test in early)
        out = next(filter(None, reasons), "")
        for target in targets:
            yield Candidate(point, block.solve, target, late, out)


def _points(block: Block, settings: Mapping[str, Any]) -> Iterator[Point]:
    variants = [{VARIANT: name, **row} for name, row in block.variants.items()] or [{}]
    for tied, variant in product(block.points, variants):
        for values in product(*block.axes.values()):
            own = dict(zip(block.axes, values, strict=True))
            points = [{**block.files, **tied, **variant, **own}]
            for when in block.when:
                points = [more for point in points for more in _with(point, when, settings)]
            yield from points


def _with(point: Point, when: When, settings: Mapping[str, Any]) -> Iterator[Point]:
    """The point with each combination of what `when` adds; as it is where that does not apply."""
    if not when.condition.holds(lookup(when.condition, point, settings)):
        yield point
        return
    for tied, values in product(when.points, product(*when.axes.values())):
        more = tied | dict(zip(when.axes, values, strict=True))
        if both := sorted(set(more) & set(point)):
            where = f"where {when.condition.text!r} holds"
            raise InputError(f"grid.when: {both[0]} is set already {where}")
        yield point | more


def lookup(test: Expression, point: Point, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the names in `test`: from the point, else from the settings that do not vary."""
    keys = {name: config_key(name) for name in test.names}
    return {n: point[key] if key in point else settings.get(key) for n, key in keys.items()}


def failed(test: Expression, values: Mapping[str, Any]) -> str:
    """Why a condition excludes a cell, with the values that it used; empty if it holds."""
    if test.holds(values):
        return ""
    used = ", ".join(f"{name}={plain(value)}" for name, value in values.items())
    return f"where {test.text!r} is false ({used})"
