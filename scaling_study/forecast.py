"""How long a run will take, from what this device has measured; never from a data sheet.

Measurements are finished runs and probes (`planning.probe`). ln t = k0 + k1 ln FLOPs + k2 ln
activations of a batch (Dollar et al. 2021: activations predict run time); intervals hold 90 % of
new measurements, by Student's t.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.data.base import MAX_TRAIN_IMAGES

# What makes step times comparable.
CONDITIONS = ("device", "precision", "threads", "world_size")
SHAPE = ("flops", "activations", "batch_size")
# Intercept and two slopes, and one point to spare.
ENOUGH_SHAPES = 4
ENOUGH_REPEATS = 8
COVERAGE = 0.90
# What a run takes beside its start, in times of a step: its steps, and batches scored at the end, a
# forward pass of the three that a step is. Each with how far off, as an SD, finished runs may show
# it to be; TYPICAL is the SD of a run's time about the fit, relative.
STEPPING, SCORING, TYPICAL = (1.0, 0.1), (1 / 3, 0.15), 0.15

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that holds it in 90 % of cases; None where nothing says how far
    off it may be."""

    value: float
    low: float | None = None
    high: float | None = None

    def times(self, factor: float) -> "Estimate":
        low, high = (None if v is None else v * factor for v in (self.low, self.high))
        return Estimate(self.value * factor, low, high)


@dataclass(frozen=True)
class Timing:
    """One measurement under `conditions`: a step's time (s), and of a whole run its wall time."""

    conditions: tuple[Any, ...]
    shape: Shape
    step_time_s: float
    steps: float = 0.0
    scored: float = 0.0  # images scored, in batches of the training's size
    wall_s: float | None = None

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> "Timing | None":
        """From the columns of a result; None if its step time was not measured."""
        if columns["step_time_s"] is None:
            return None
        return cls(
            tuple(columns[name] for name in CONDITIONS),
            shape_of(columns),
            columns["step_time_s"],
            *amounts(columns),
            columns["wall_s"] if columns["status"] == "ok" else None,
        )


def shape_of(columns: Mapping[str, Any]) -> Shape:
    """What a step's time depends on."""
    return tuple(columns[name] for name in SHAPE)


def amounts(columns: Mapping[str, Any]) -> tuple[float, float]:
    """What a run does: training steps, and batches' worth of images scored at its end."""
    batch, n_train = columns["batch_size"], columns["n_train"]
    scored = (min(n_train, MAX_TRAIN_IMAGES) + columns["n_val"]) / batch
    return float(columns["epochs"] * (n_train // batch)), scored


@dataclass
class Forecast:
    """Times under one set of `CONDITIONS`."""

    timings: Sequence[Timing]
    _steps: dict[Shape, Estimate | None] = field(default_factory=dict, repr=False)

    def step_time(self, shape: Shape) -> Estimate | None:
        """Seconds of a training step of this (FLOPs, activations, batch size); None if unmeasured.

        The median of measurements of the same shape; else the log-linear model, by least squares;
        else, with too few shapes for that, the mean FLOPs rate.
        """
        if shape not in self._steps:
            self._steps[shape] = self._step_time(shape)
        return self._steps[shape]

    def run_time(self, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of a whole run, start and end included as far as runs and probes tell."""
        if (step := self.step_time(shape_of(columns))) is None:
            return None
        steps, scored = amounts(columns)
        (stepping, scoring, start), (low, high) = self._whole
        per_step = stepping * steps + scoring * scored

        def seconds(step_time_s: float) -> float:
            return step_time_s * per_step + start

        if step.low is None or step.high is None:
            return Estimate(seconds(step.value))
        return Estimate(seconds(step.value), low * seconds(step.low), high * seconds(step.high))

    @property
    def shapes(self) -> list[Shape]:
        """What is measured."""
        return list(self._by_shape)

    @cached_property
    def held_out_error(self) -> float | None:
        """Median |forecast / measured - 1| of shapes that the model was not fitted to.

        Each shape is left out once. None with too few shapes for the log-linear model.
        """
        if not self._slopes:
            return None
        off = np.abs(np.expm1(self._residuals / (1 - self._leverages)))
        return float(np.median(off))

    def _step_time(self, shape: Shape) -> Estimate | None:
        if not self._by_shape:
            return None
        if measured := self._by_shape.get(shape):
            sd, df = self._repeats
            # Few repeats, made one after the other, do not show how a machine's pace drifts: then
            # at worst a measurement is as far off as the model.
            if df < ENOUGH_REPEATS and self._slopes:
                sd, df = max(self._repeats, self._model_error, key=_reach)
            return self._interval(float(np.log(np.median(measured))), sd, df)
        x = features(shape, self._slopes)
        # The variance of a prediction at x, in units of the residual variance.
        spread = 1 + float(x @ self._inverse @ x) if self._slopes else 1 + 1 / len(self._by_shape)
        sd, df = self._model_error
        return self._interval(float(x @ self._coefficients), math.sqrt(spread) * sd, df)

    @staticmethod
    def _interval(log_value: float, sd: float, df: int) -> Estimate:
        value, reach = math.exp(log_value), _reach((sd, df))
        if reach < 0:
            return Estimate(value)
        return Estimate(value, value * math.exp(-reach), value * math.exp(reach))

    @cached_property
    def _by_shape(self) -> dict[Shape, list[float]]:
        shapes: dict[Shape, list[float]] = {}
        for timing in self.timings:
            shapes.setdefault(timing.shape, []).append(timing.step_time_s)
        return shapes

    @cached_property
    def _repeats(self) -> tuple[float, int]:
        """SD of ln step time between measurements of one shape, pooled, and degrees of freedom."""
        groups = [np.log(times) for times in self._by_shape.values() if len(times) > 1]
        df = sum(len(group) - 1 for group in groups)
        if not df:
            return math.nan, 0
        return math.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / df), df

    @cached_property
    def _model_error(self) -> tuple[float, int]:
        """SD of ln step time about the model, and degrees of freedom."""
        df = len(self._by_shape) - (3 if self._slopes else 1)
        return (
            (math.sqrt(float(self._residuals @ self._residuals) / df), df) if df else (math.nan, 0)
        )

    @cached_property
    def _whole(self) -> tuple[tuple[float, float, float], tuple[float, float]]:
        """What a run takes: times of a step per step and per batch scored, and seconds to start.

        By least squares of relative errors on whole runs and probes, drawn to what FLOPs say of the
        first two, the more the fewer there are; and the central 90 % of actual over fitted time.
        """
        done = [t for t in self.timings if t.wall_s]
        wall_s = np.array([t.wall_s for t in done])
        parts = np.array([(t.step_time_s * t.steps, t.step_time_s * t.scored, 1.0) for t in done])
        parts = parts.reshape(-1, 3)
        expected = np.array([STEPPING[0], SCORING[0], 0.0])
        trust = np.diag([TYPICAL / STEPPING[1], TYPICAL / SCORING[1], 0.0])
        x = np.vstack([parts / wall_s[:, None], trust])
        y = np.concatenate([np.ones(len(done)), trust @ expected])
        fit = np.linalg.lstsq(x, y, rcond=None)[0]
        if fit[2] < 0:
            fit[:2], fit[2] = np.linalg.lstsq(x[:, :2], y, rcond=None)[0], 0.0
        fit = fit.clip(min=0.0)
        tail = (1 - COVERAGE) / 2
        ratios = wall_s / (parts @ fit) if done else np.ones(1)
        low, high = np.quantile(ratios, [tail, 1 - tail])
        stepping, scoring, start = map(float, fit)
        return (stepping, scoring, start), (min(float(low), 1.0), max(float(high), 1.0))

    @cached_property
    def _slopes(self) -> bool:
        return (
            len(self._by_shape) >= ENOUGH_SHAPES and np.linalg.matrix_rank(self._design(True)) == 3
        )

    def _design(self, slopes: bool) -> NDArray[np.float64]:
        return np.array([features(shape, slopes) for shape in self._by_shape])

    @cached_property
    def _observed(self) -> NDArray[np.float64]:
        return np.log([np.median(times) for times in self._by_shape.values()])

    @cached_property
    def _coefficients(self) -> NDArray[np.float64]:
        x = self._design(self._slopes)
        if self._slopes:
            return np.asarray(np.linalg.lstsq(x, self._observed, rcond=None)[0], np.float64)
        return np.array([1.0, np.mean(self._observed - x[:, 0])])

    @cached_property
    def _inverse(self) -> NDArray[np.float64]:
        x = self._design(True)
        return np.asarray(np.linalg.pinv(x.T @ x), np.float64)

    @cached_property
    def _residuals(self) -> NDArray[np.float64]:
        return np.asarray(self._observed - self._design(self._slopes) @ self._coefficients)

    @cached_property
    def _leverages(self) -> NDArray[np.float64]:
        x = self._design(True)
        return np.asarray(((x @ self._inverse) * x).sum(1).clip(max=1 - 1e-9))


def _reach(error: tuple[float, int]) -> float:
    """Half of the interval of a (SD, degrees of freedom); -1 if they say nothing."""
    sd, df = error
    if df < 1 or not math.isfinite(sd):
        return -1.0
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + COVERAGE / 2)) * sd


def features(shape: Shape, slopes: bool) -> NDArray[np.float64]:
    """Row of the log-linear model: ln FLOPs (and with `slopes` ln activations) of a batch, 1."""
    flops, activations, batch = shape
    row = [math.log(batch * flops), math.log(batch * activations), 1.0]
    return np.array(row if slopes else [row[0], 1.0])


def forecast_for(timings: Iterable[Timing], conditions: tuple[Any, ...]) -> Forecast:
    """The forecast from those timings that were measured under `conditions`."""
    return Forecast([timing for timing in timings if timing.conditions == conditions])
