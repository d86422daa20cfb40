"""From a grid's candidates to its cells: runs that its conditions and solves leave, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.config import AXES, RunConfig, run_config
from scaling_study.cost import describe, known_facts, run_cost
from scaling_study.device import best_precision
from scaling_study.errors import InputError
from scaling_study.grid import Candidate, candidates, failed
from scaling_study.models import timm
from scaling_study.planning.expression import Expression
from scaling_study.planning.language import COSTS, VARIANT, Point, Solve
from scaling_study.planning.solve import InfeasibleError, Solved, legal_values, solve
from scaling_study.planning.times import HOUR, MEASURED, Times, UnmeasuredError
from scaling_study.settings import RUN_KEYS
from scaling_study.values import flat_items

# What decides which other settings there are.
KINDS = frozenset({"model.family", "data.name"})


@dataclass(frozen=True)
class Cell:
    """One run of a grid, the values that the grid gave it, its variant, and what was solved."""

    run: RunConfig
    point: Point
    variant: str | None = None
    solved: Solved | None = None


@dataclass(frozen=True)
class Left:
    """A point that is no cell, and why."""

    point: Point
    why: str
    infeasible: bool = False


def settings_that_vary(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The config keys that may be axes, with the values they have where they are none."""
    return dict(flat_items({key: settings[key] for key in RUN_KEYS}))


def cells_of(
    grid: Mapping[str, Any], settings: Mapping[str, Any], times: Times | None
) -> tuple[list[Cell], list[Left]]:
    """The cells of a grid, in order, and the points that are none.

    With `times=None` (nothing is measured, and somebody is about to) conditions on times hold and
    solves for times are left out.

    Raises:
        InputError: a value that a run cannot have; the message names the point. Or a file of first
            weights that does not fit its model.
    """
    known = settings_that_vary(settings)
    base = {key: settings[key] for key in RUN_KEYS}
    cells: dict[str, Cell] = {}
    left: list[Left] = []
    for candidate in candidates(grid, known):
        found = _cell(candidate, base, known, times)
        if isinstance(found, Left):
            left.append(found)
        elif found.run.run_id in cells:
            left.append(Left(found.point, f"the same run as {found.run.run_id}"))
        else:
            cells[found.run.run_id] = found
    check_initial_weights([cell.run for cell in cells.values()])
    return list(cells.values()), left


def check_initial_weights(runs: Sequence[RunConfig]) -> None:
    """Every model against the file that it starts from; torch is asked where there is one.

    Raises:
        InputError: a file cannot be read, or does not fit.
    """
    for run in {(repr(run.model), run.init): run for run in runs if run.init}.values():
        assert run.init is not None
        timm.check(run.model, run.init)


def runs_of(settings: Mapping[str, Any], points: Sequence[Point]) -> list[RunConfig]:
    """One checked run per point, in order; points that lead to the same run count once.

    Raises:
        InputError: a value that a run cannot have; the message names the point.
    """
    runs = (run_at(settings, point) for point in points)
    return list({run.run_id: run for run in runs}.values())


def run_at(settings: Mapping[str, Any], point: Point) -> RunConfig:
    """The checked run at one point.

    Raises:
        InputError: a value that a run cannot have; the message names the point.
    """
    try:
        run = run_config(_with_point(settings, point))
        run_cost(run)
    except InputError as error:
        where = ", ".join(f"{key}={value}" for key, value in point.items())
        why = f"{error}" + (f" (in the run with {where})" if where else "")
        for key in KINDS & point.keys():
            why += f"; another {key} may have other settings, and then takes a grid of its own"
        raise InputError(why) from None
    return run


def _with_point(settings: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The settings with a point's values; what the point does not touch is shared, not copied."""
    values = {key: settings[key] for key in RUN_KEYS}
    copied: dict[str, dict[str, Any]] = {"": values}
    for key, value in point.items():
        if key == VARIANT:
            continue
        group, (*path, name) = values, key.split(".")
        for depth, part in enumerate(path, 1):
            prefix = ".".join(path[:depth])
            if prefix not in copied:
                group[part] = copied[prefix] = dict(group[part])
            group = copied[prefix]
        group[name] = value
    if values["precision"] == "auto":
        values["precision"] = best_precision(values["device"])
    return values


def _cell(
    candidate: Candidate, base: Mapping[str, Any], known: Mapping[str, Any], times: Times | None
) -> Cell | Left:
    point, solved = candidate.point, None
    if candidate.out:
        return Left(point, candidate.out)
    if candidate.solve is not None:
        if times is None and candidate.solve.quantity in MEASURED:
            return Left(point, "nothing is measured yet")
        assert candidate.target is not None
        try:
            solved = _solve(candidate.solve, candidate.target, point, base, times)
        except InfeasibleError as no:
            return Left(point, str(no), infeasible=True)
        point = {**point, AXES[solved.axis]: solved.value}
    run = run_at(base, point)
    for test in candidate.where:
        values = _values(test, run, point, known, times)
        if times is None and any(values[name] is None for name in test.names if name in MEASURED):
            continue
        if not test.holds(values):
            return Left(point, failed(test, values))
    return Cell(run, point, point.get(VARIANT), solved)


def _solve(
    asked: Solve, target: float, point: Point, base: Mapping[str, Any], times: Times | None
) -> Solved:
    """`solve` for runs at `point`."""
    key = AXES[asked.axis]

    def at(value: float) -> float:
        found = cost_of(asked.quantity, run_at(base, {**point, key: value}), times)
        if found is None:
            raise UnmeasuredError(f"grid.solve.{asked.axis}.{asked.quantity}")
        return found

    # The solved axis has the value of the settings here: only the others matter.
    like = run_config(_with_point(base, point))
    values = legal_values(asked.axis, like.model, known_facts(like.data).n_classes)
    return solve(asked, target, values, at)


def _values(
    test: Expression, run: RunConfig, point: Point, known: Mapping[str, Any], times: Times | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in test.names:
        key = AXES.get(name, name)
        if name in COSTS:
            found[name] = cost_of(name, run, times)
            if found[name] is None and times is not None:
                raise UnmeasuredError(f"where {test.text!r}")
        else:
            found[name] = point[key] if key in point else known.get(key)
    return found


def cost_of(name: str, run: RunConfig, times: Times | None) -> float | None:
    """One of `COSTS` of a run; None for a time that nothing is known about."""
    if name in MEASURED:
        if times is None:
            return None
        columns = describe(run)
        forecast = times.step if name == "step_time_s" else times.whole
        estimate = forecast(run, columns)
        if estimate is None:
            return None
        return estimate.value / (HOUR if name == "gpu_hours" else 1)
    if name == "lr":
        return run.train.lr
    if name in ("n_train", "n_val"):
        return float(getattr(known_facts(run.data), name))
    return float(getattr(run_cost(run), name))
