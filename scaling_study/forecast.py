"""How long a run will take, from runs that this device has finished; never from a data sheet."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.cost import TRAINING_PASSES
from scaling_study.results import Result

# What makes step times comparable.
CONDITIONS = ("device", "precision", "threads")
# Intercept and two slopes, and one point to spare.
ENOUGH_SHAPES = 4


@dataclass(frozen=True)
class Forecast:
    """Step times measured under one set of `CONDITIONS`."""

    results: tuple[Result, ...]

    def step_time_s(self, columns: dict[str, Any]) -> float | None:
        """Seconds of a training step of a run with these columns; None if nothing is measured.

        The median of finished runs of the same shape; else ln t = k0 + k1 ln FLOPs + k2 ln
        activations of a batch (Dollar et al. 2021: activations predict run time), by least
        squares; else, with too few shapes for that, the mean FLOPs rate.
        """
        if measured := self._by_shape.get(_shape(columns)):
            return float(np.median(measured))
        if not self._by_shape:
            return None
        return float(np.exp(_features(columns, self._slopes) @ self._coefficients))

    def run_s(self, columns: dict[str, Any], steps: int) -> float | None:
        """Seconds of a whole run: its steps, then scoring both splits forward only."""
        if (step := self.step_time_s(columns)) is None:
            return None
        scored = (columns["n_train"] + columns["n_val"]) / columns["batch_size"]
        return float(step * (steps + scored / TRAINING_PASSES))

    @cached_property
    def _by_shape(self) -> dict[tuple[Any, ...], list[float]]:
        shapes: dict[tuple[Any, ...], list[float]] = {}
        for result in self.results:
            if result.step_time_s is not None:
                shapes.setdefault(_shape(vars(result)), []).append(result.step_time_s)
        return shapes

    @cached_property
    def _slopes(self) -> bool:
        return len(self._by_shape) >= ENOUGH_SHAPES

    @cached_property
    def _coefficients(self) -> NDArray[np.float64]:
        shapes = list(self._by_shape)
        x = np.array([_features(dict(zip(SHAPE, s, strict=True)), self._slopes) for s in shapes])
        y = np.log([np.median(self._by_shape[shape]) for shape in shapes])
        if self._slopes:
            solution: NDArray[np.float64] = np.linalg.lstsq(x, y, rcond=None)[0]
            return solution
        return np.array([1.0, np.mean(y - x[:, 0])])


SHAPE = ("flops", "activations", "batch_size")


def _shape(columns: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(columns[name] for name in SHAPE)


def _features(columns: dict[str, Any], slopes: bool) -> NDArray[np.float64]:
    batch = columns["batch_size"]
    flops, activations = np.log(batch * columns["flops"]), np.log(batch * columns["activations"])
    return np.array([flops, activations, 1.0] if slopes else [flops, 1.0])


def forecast_for(results: Iterable[Result], **conditions: object) -> Forecast:
    """The forecast from those `results` that were measured under `conditions`."""
    assert set(conditions) == set(CONDITIONS)
    same = (r for r in results if all(getattr(r, k) == v for k, v in conditions.items()))
    return Forecast(tuple(same))
