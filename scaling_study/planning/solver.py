"""Equal-compute axes of a grid: which values are legal at a point, and what they cost there."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from scaling_study.config import AXES, RunConfig, run_config
from scaling_study.cost import forward, known_facts
from scaling_study.planning.language import Point, Solve
from scaling_study.planning.runs import cost_of, run_at, step_shape, with_point
from scaling_study.planning.solve import Line, Solved, legal_values, rises, solve, spread
from scaling_study.planning.times import MEASURED, Times, UnmeasuredError


class Solver:
    """Solves for runs of the settings `base`; what points have in common is worked out once."""

    def __init__(self, base: Mapping[str, Any], times: Times | None) -> None:
        self.base, self.times = base, times
        self._lines: dict[str, Line] = {}

    def solve(self, asked: Solve, target: float, point: Point) -> Solved:
        """The nearest legal value.

        Raises:
            InfeasibleError, InputError: see `solve.solve`.
        """
        # The seed changes no cost.
        key = repr((asked.axis, asked.quantity, sorted({**point, "seed": 0}.items())))
        if key not in self._lines:
            self._lines[key] = self._line(asked, point)
        return solve(asked, target, self._lines[key])

    def spread(self, asked: Solve, point: Point) -> list[float]:
        """Values of the axis to be measured."""
        group, name = AXES[asked.axis].split(".")
        own = self.base[group][name]
        flops = cache(lambda value: float(forward(self._run(asked.axis, value, point)).flops))
        return spread(self._legal(asked.axis, point), flops, asked.axis, own)

    def _line(self, asked: Solve, point: Point) -> Line:
        axis, times = asked.axis, self.times
        run = cache(lambda value: self._run(axis, value, point))

        def at(value: float) -> float:
            found = cost_of(asked.quantity, run(value), times)
            if found is None:
                raise UnmeasuredError(f"grid.solve.{axis}.{asked.quantity}")
            return found

        values, at = self._legal(axis, point), cache(at)
        if not rises(axis, asked.quantity):
            return Line(values, at)
        if asked.quantity not in MEASURED:
            return Line(values, at, at)
        assert times is not None
        like = run(values[-1])
        forecast = times.forecast(like)

        def trend(value: float) -> float:
            found = forecast.trend(step_shape(run(value)))
            return at(value) if found is None else found

        measured = [s[0] for s in forecast.shapes if s[2] == like.train.batch_size]
        return Line(values, at, cache(trend), lambda v: float(forward(run(v)).flops), measured)

    def _legal(self, axis: str, point: Point) -> Sequence[float]:
        # The solved axis has the value of the settings here: only the others matter.
        like = run_config(with_point(self.base, point))
        return legal_values(axis, like.model, known_facts(like.data).n_classes)

    def _run(self, axis: str, value: float, point: Point) -> RunConfig:
        return run_at(self.base, {**point, AXES[axis]: value}, forward)
