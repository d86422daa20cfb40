"""From a grid's candidates to its cells: runs that its conditions and solves leave, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.expression import Expression
from scaling_study.config.keys import RUN_KEYS
from scaling_study.config.other_files import with_files
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_times import MEASURED, Times, UnmeasuredError
from scaling_study.grid.bases import Bases
from scaling_study.grid.cell import Cell
from scaling_study.grid.equal_compute import InfeasibleError, Solved, Solver
from scaling_study.grid.expand import Candidate, candidates, failed, lookup
from scaling_study.grid.one_trunk import read_one_trunk, with_one_trunk
from scaling_study.grid.parents import Ancestor, Parents, any_parent
from scaling_study.grid.run_at_point import cost_of
from scaling_study.grid.schema import COSTS, VARIANT, Point
from scaling_study.grid.tuned import Tuned, at_rate, read_tuned
from scaling_study.models.initial_weights import ParentRun
from scaling_study.study.axes import KEYS
from scaling_study.training import first_weights, teachers


@dataclass(frozen=True)
class ExcludedPoint:
    """A point that is no cell, and why."""

    point: Point
    why: str
    infeasible: bool = False
    twin: str | None = None  # the variant that it is the same run as


def cells_of(
    grid: Mapping[str, Any],
    settings: Mapping[str, Any],
    times: Times | None,
    overrides: Sequence[str] = (),
) -> tuple[list[Cell], list[ExcludedPoint]]:
    """The cells of a grid, in order, and the points that are none.

    `overrides` are the command's, which cells and parents with other files of groups have too. With
    `times=None` (somebody is about to measure) conditions on times hold, and for a target in
    seconds there are cells of a few values of the axis. InputError for a value that a run cannot
    have (the message names the point), and as `check_parents` and `Parents` have.
    """
    base = {key: settings[key] for key in RUN_KEYS}
    bases = Bases(base, partial(with_files, base, overrides))
    if (one_trunk := read_one_trunk(grid, base)) is not None:
        bases = bases.changed(with_one_trunk)
    parents, solvers = Parents(grid.get("parents"), bases), _Solvers(bases, times)
    cells: dict[str, Cell] = {}
    left: list[ExcludedPoint] = []
    for candidate in candidates(grid, bases.known):
        found = _cells(candidate, solvers, parents)
        if isinstance(found, ExcludedPoint):
            left.append(found)
            continue
        for cell in found:
            same = cells.setdefault(cell.run.run_id, cell)
            if same is not cell:
                twin = same.variant if same.variant != cell.variant else None
                why = f"the same run as {cell.run.run_id}"
                left.append(ExcludedPoint(cell.point, why, twin=twin))
    if (tuned := read_tuned(grid)) is not None and cells:
        cells = _at_rates(cells, tuned, grid, parents)
    if one_trunk is not None and cells:
        cells = {cell.run.run_id: cell for cell in one_trunk.joined([*cells.values()])}
    check_parents([*cells.values()], Path(str(settings.get("results_dir", "results"))))
    return list(cells.values()), left


def ancestors(cells: Sequence[Cell]) -> list[Cell]:
    """The runs that these start from, parents first, each once, and without those among `cells`."""
    found: dict[str, Cell] = {}
    own = {cell.run.run_id for cell in cells}

    def add(one: Ancestor) -> None:
        if one.run.run_id not in found:
            for parent in one.parents:
                add(parent)
            found[one.run.run_id] = Cell(one.run, one.point, parents=one.parents, stage=one.name)

    for parent in (parent for cell in cells for parent in cell.parents):
        add(parent)
    return [cell for run_id, cell in found.items() if run_id not in own]


def _at_rates(
    cells: Mapping[str, Cell], tuned: Tuned, grid: Mapping[str, Any], parents: Parents
) -> dict[str, Cell]:
    """The cells by run id, at the learning rates that transfer rules give; then ends at others.

    InputError if no arm has two cells.
    """
    if any(cell.run.program is not None for cell in cells.values()):
        raise InputError("grid.tuned: a program has no learning rate that the grid knows; cross it")
    starts = tuned.starts([cell.run for cell in cells.values()])

    def at(cell: Cell, factor: float, **more: Any) -> Cell:
        if factor == 1:
            return replace(cell, **more)
        point = at_rate(cell.point, cell.run, factor)
        run, origins = parents.run_at(point)
        return replace(cell, run=run, point=point, parents=origins, **more)

    own = [
        at(cell, tuned.own_rate(cell.run, starts), lr_recipe=cell.run.train.lr)
        for cell in cells.values()
    ]
    ends = set(tuned.ends([(cell.run, cell.variant) for cell in own], grid))
    if not ends:
        arms = " or ".join(axis.name for axis in tuned.arms)
        raise InputError(f"grid.tuned: no arm of {arms} has two cells from one base on")
    more = [
        at(cell, factor, lr_factor=factor)
        for factor in (tuned.factors[0], tuned.factors[2])
        for cell in own
        if cell.run.run_id in ends
    ]
    return {cell.run.run_id: cell for cell in (*own, *more)}


def check_parents(cells: Sequence[Cell], results_dir: Path) -> None:
    """Raise an InputError if a file or a run of first weights, or a teacher, cannot be used.

    Parents that the grid itself plans need not be there yet, only be of the same network, and
    teachers of the same classes.
    """
    every = [*cells, *ancestors(cells)]
    planned = {one.run.run_id: one.run for cell in every for one in cell.parents}
    runs = [cell.run for cell in every if cell.run.init]
    for run in {(repr(r.model), r.data.resolution, r.init): r for r in runs}.values():
        parent = planned.get(run.init.run) if isinstance(run.init, ParentRun) else None
        if parent is None:
            first_weights.check(run, results_dir)
        else:
            first_weights.check_fits(run, parent)
    taught = [cell.run for cell in every if cell.run.teacher]
    for run in {(repr(r.data), r.teacher): r for r in taught}.values():
        assert run.teacher is not None
        if (teacher := planned.get(run.teacher.run)) is None:
            teachers.check(run, results_dir)
        else:
            teachers.check_fits(run, teacher)


class _Solvers:
    """A solver for each choice of files of a grid's blocks."""

    def __init__(self, bases: Bases, times: Times | None) -> None:
        self.bases, self.times = bases, times
        self._found: dict[int, Solver] = {}

    def at(self, point: Point) -> Solver:
        """That of a point's block."""
        base = self.bases.of(point)
        if id(base) not in self._found:
            # What a network costs does not depend on where its first weights come from.
            self._found[id(base)] = Solver(any_parent(base), self.times)
        return self._found[id(base)]


def _cells(candidate: Candidate, solvers: _Solvers, parents: Parents) -> list[Cell] | ExcludedPoint:
    """The cells of a candidate: one, but for a target in seconds that is not known yet."""
    if candidate.out:
        return ExcludedPoint(candidate.point, candidate.out)
    try:
        points = _solved(candidate, solvers.at(candidate.point))
    except InfeasibleError as error:
        return ExcludedPoint(candidate.point, str(error), infeasible=True)
    cells = []
    for point, solved in points:
        run, origins = parents.run_at(point)
        known = solvers.bases.known(point)
        if why := _failed(candidate.where, run, point, known, solvers.times):
            left = ExcludedPoint(point, why)
        else:
            cells.append(Cell(run, point, point.get(VARIANT), solved, parents=origins))
    return cells or left


def _solved(candidate: Candidate, solver: Solver) -> list[tuple[Point, Solved | None]]:
    """The candidate's points with the axis that is solved for."""
    point, asked, target = candidate.point, candidate.solve, candidate.target
    if asked is None:
        return [(point, None)]
    key, drawn = KEYS[asked.axis], any_parent(point)
    if solver.times is None and asked.quantity in MEASURED:
        return [({**point, key: value}, None) for value in solver.spread(asked, drawn)]
    assert target is not None
    solved = solver.solve(asked, target, drawn)
    return [({**point, key: solved.value}, solved)]


def _failed(
    tests: Sequence[Expression],
    run: RunConfig,
    point: Point,
    known: Mapping[str, Any],
    times: Times | None,
) -> str:
    """Why a condition leaves the run out; empty if none does."""
    for test in tests:
        costs = {name: cost_of(name, run, times) for name in test.names if name in COSTS}
        if None in costs.values():
            if times is not None:
                raise UnmeasuredError(f"where {test.text!r}")
        elif why := failed(test, lookup(test, point, known) | costs):
            return why
    return ""
