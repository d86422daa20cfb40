"""Equal-compute axes: the legal value of an axis that comes nearest to a target.

Legal values are those of the model family: its depths, widths in multiples of its step, image sides
in multiples of its step; epochs are whole. Values that no run can have (a width without channels,
an image smaller than the network's stride) are passed over.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig, run_config
from scaling_study.cost.closed_form import forward
from scaling_study.cost.device_times import MEASURED, Times, UnmeasuredError
from scaling_study.data import data_info
from scaling_study.grid.run_at_point import cost_of, flops_of, run_at, step_shape, with_point
from scaling_study.grid.schema import Point, Solve
from scaling_study.grid.sizes import legal_values
from scaling_study.study.axes import KEYS

# How many times the FLOPs of the settings' own value are measured at most.
SPREAD = 4
# Ever more of these, the more of an axis that is no list of depths; step times but for shapes whose
# own measurement counts.
RISING = ("flops", "train_flops", "params", "activations", "step_time_s")


class InfeasibleError(Exception):
    """No legal value meets the target within the tolerance."""


@dataclass(frozen=True)
class Solved:
    """`axis` = `value` makes `quantity` `achieved` where `target` was asked for."""

    axis: str
    quantity: str
    target: float
    value: float
    achieved: float
    tolerance: float

    @property
    def off(self) -> float:
        """Relative difference from the target."""
        return self.achieved / self.target - 1


@dataclass(frozen=True)
class Line:
    """The legal `values` of an axis at one point of a grid, and a quantity `at` each.

    `at` raises InputError for a value that no run can have. `trend`, if there is one, rises with
    the value, and is `at` but for values with as many `flops` as one of `measured`.
    """

    values: Sequence[float]
    at: Callable[[float], float]
    trend: Callable[[float], float] | None = None
    flops: Callable[[float], float] = float
    measured: Sequence[float] = ()


def nearest(line: Line, target: float) -> float:
    """The legal value with the least |quantity / target - 1|; raises as `_first_possible` does."""
    first = _first_possible(line.values, line.at)
    near = range(first, len(line.values)) if line.trend is None else _around(line, first, target)
    return min((line.values[i] for i in near), key=lambda v: abs(line.at(v) / target - 1))


def _around(line: Line, first: int, target: float) -> list[int]:
    """Indices that hold the nearest: on both sides one that goes by the trend, and the measured."""
    assert line.trend is not None
    values, measured, apart = line.values, set(line.measured), set[int]()

    def by_trend(i: int) -> bool:
        return not measured or line.flops(values[i]) not in measured

    for flops in measured:
        near = _bracket(values, first, flops, line.flops)
        apart |= {i for i in near if not by_trend(i)}
    ends = _bracket(values, first, target, line.trend)
    below = next((i for i in range(ends[0], first - 1, -1) if by_trend(i)), ends[0])
    above = next((i for i in range(ends[-1], len(values)) if by_trend(i)), ends[-1])
    return sorted({below, above} | apart)


def is_increasing(axis: str, quantity: str) -> bool:
    """Whether a quantity is ever more, the more of an axis."""
    return quantity in RISING and axis != "depth"


def _first_possible(values: Sequence[float], at: Callable[[float], float]) -> int:
    """Index of the smallest value that a run can have; larger ones are possible too."""

    def possible(value: float) -> bool:
        try:
            at(value)
        except UnmeasuredError:
            raise
        except InputError:
            return False
        return True

    if (first := _first(values, 0, possible)) == len(values):
        at(values[-1])
    return first


def _first(values: Sequence[float], start: int, holds: Callable[[float], bool]) -> int:
    """Index of the first value, from `start` on, from which on `holds` does; their number if none.

    Doubling keeps the search near the small end, where costs are quick to compute.
    """
    step = 1
    while start + step < len(values) and not holds(values[start + step - 1]):
        start, step = start + step, 2 * step
    return bisect_left(values, True, start, min(start + step, len(values)), key=holds)


def _bracket(
    values: Sequence[float], first: int, target: float, at: Callable[[float], float]
) -> range:
    """Indices of the last value below the target and of the first that is not."""
    high = _first(values, first, lambda value: at(value) >= target)
    return range(max(high - 1, first), min(high + 1, len(values)))


class Solver:
    """Solves for runs of the settings `base`; what points have in common is worked out once."""

    def __init__(self, base: Mapping[str, Any], times: Times | None) -> None:
        self.base, self.times = base, times
        self._lines: dict[str, Line] = {}

    def solve(self, asked: Solve, target: float, point: Point) -> Solved:
        """The legal value whose quantity is nearest to `target`, as a relative difference.

        InfeasibleError if it is further off than the tolerance; InputError if no value is possible,
        for the reason that the largest is not.
        """
        # The seed changes no cost.
        key = repr((asked.axis, asked.quantity, sorted({**point, "seed": 0}.items())))
        if key not in self._lines:
            self._lines[key] = self._line(asked, point)
        value = nearest(line := self._lines[key], target)
        achieved = line.at(value)
        solved = Solved(asked.axis, asked.quantity, target, value, achieved, asked.tolerance)
        if abs(solved.off) > asked.tolerance:
            raise InfeasibleError(
                f"no {asked.axis} gives {asked.quantity}={target:.4g} within "
                f"{100 * asked.tolerance:g} %; the nearest, {asked.axis}={value:g}, "
                f"gives {achieved:.4g} ({100 * solved.off:+.1f} %)"
            )
        return solved

    def spread(self, asked: Solve, point: Point) -> list[float]:
        """Legal values to measure: with the settings' own FLOPs, SPREAD times less, and more."""
        group, name = KEYS[asked.axis].split(".")
        flops = cache(lambda value: flops_of(self._run(asked.axis, value, point)))
        rising = flops if is_increasing(asked.axis, "flops") else None
        line = Line(self._legal(asked.axis, point), flops, rising)
        try:
            middle = flops(self.base[group][name])
        except InputError:
            middle = flops(nearest(line, 1.0)) * SPREAD
        return list(dict.fromkeys(nearest(line, middle * f) for f in (1 / SPREAD, 1, SPREAD)))

    def _line(self, asked: Solve, point: Point) -> Line:
        axis, times = asked.axis, self.times
        run = cache(lambda value: self._run(axis, value, point))

        def at(value: float) -> float:
            found = cost_of(asked.quantity, run(value), times)
            if found is None:
                raise UnmeasuredError(f"grid.solve.{axis}.{asked.quantity}")
            return found

        values, at = self._legal(axis, point), cache(at)
        if not is_increasing(axis, asked.quantity):
            return Line(values, at)
        if asked.quantity not in MEASURED:
            return Line(values, at, at)
        assert times is not None
        like = run(values[-1])
        forecast = times.forecast(like)

        def trend(value: float) -> float:
            found = forecast.trend(step_shape(run(value)))
            return at(value) if found is None else found

        measured = [s[0] for s in forecast.by_shape if s[2] == like.train.batch_size]
        return Line(values, at, cache(trend), lambda v: flops_of(run(v)), measured)

    def _legal(self, axis: str, point: Point) -> Sequence[float]:
        # The solved axis has the value of the settings here: only the others matter.
        like = run_config(with_point(self.base, point))
        if like.program is not None:
            raise InputError(
                f"grid.solve.{axis}: the legal sizes of a program are not known; give tied values, "
                "grid.points, of equal cost"
            )
        return legal_values(axis, like.model, data_info(like.data).n_classes)

    def _run(self, axis: str, value: float, point: Point) -> RunConfig:
        return run_at(self.base, {**point, KEYS[axis]: value}, forward)
