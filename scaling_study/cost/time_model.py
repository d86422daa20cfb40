"""How long a run will take, from measurements on this device, or a device that was asked for.

Measurements are finished runs and probes, a few steps of a few cells; `step_law` is the model of a
step's time. Intervals contain 90 % of new measurements, by Student's t. Data sheets count only in a
prior that somebody asked for, see `device_prior`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.cost.step_law import (
    TYPICAL,
    Kind,
    Law,
    Prior,
    Shape,
    features,
    fitted,
    kind_of,
)
from scaling_study.data.base import MAX_TRAIN_IMAGES

# What makes step times comparable.
CONDITIONS = ("device", "precision", "threads", "world_size")
SHAPE = ("flops", "activations", "batch_size")
# Two slopes need more shapes than two for their error to be estimated.
ENOUGH_SHAPES = 4
ENOUGH_REPEATS = 8
COVERAGE = 0.90
# Prior for a run's time, in step times: its steps, plus scoring at 1/3 step a batch, one forward
# pass of a step's three; each as (mean, SD).
STEPPING, SCORING = (1.0, 0.1), (1 / 3, 0.15)
# More held-out shapes do not make the median more accurate, and each takes a fit.
MOST_HELD_OUT = 200


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that contains it in 90 % of cases."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Estimate":
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


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
        """From the columns of a result; None without its step time, or if its FLOPs are blank."""
        if columns["step_time_s"] is None or kind_of(shape_of(columns)) is None:
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
    """Amount of work in a run: training steps, and batches of images scored.

    Steps are by their FLOPs: those at a lower resolution than the last count as a part of one, and
    those of a trunk that another run has trained are none of it. A run that stopped early has
    trained fewer; results of earlier versions were scored at their end alone, and do not say what
    that cost.
    """
    batch, n_train = columns["batch_size"], columns["n_train"]
    own = columns["train_flops"] - (columns.get("shared_flops") or 0)
    steps = own / (3 * columns["flops"] * batch)
    if stopped := columns.get("stopped_epoch"):
        steps *= stopped / columns["epochs"]
    images = min(n_train, MAX_TRAIN_IMAGES) + columns["n_val"]
    if (flops := columns.get("eval_flops")) is not None:
        images = flops / columns["flops"]
    return steps, images / batch


@dataclass
class Forecast:
    """Times under one set of `CONDITIONS`; a `prior` stands in for what was not measured."""

    timings: Sequence[Timing]
    prior: Prior | None = None
    _steps: dict[Shape, Estimate | None] = field(default_factory=dict, repr=False)
    _laws: dict[Kind, Law | None] = field(default_factory=dict, repr=False)

    def step_time(self, shape: Shape) -> Estimate | None:
        """Seconds of a training step of this (FLOPs, activations, batch size); None if unmeasured.

        The median of measurements of the same shape; else by the log-linear model.
        """
        if shape not in self._steps:
            self._steps[shape] = self._step_time(shape)
        return self._steps[shape]

    def trend(self, shape: Shape) -> float | None:
        """Seconds of a step by the model alone: they rise with FLOPs and with activations."""
        law = self._law(shape)
        return math.exp(law.ln_time(features(shape))) if law else None

    def run_time(self, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of a run's training and evaluation, which is what `wall_s` of results contains.

        Not its start-up: imports and the loading of images take as long as nobody knows, once a
        process. What the first batch and the last evaluation take besides their steps is in it,
        where runs or probes measured that.
        """
        if (step := self.step_time(shape_of(columns))) is None:
            return None
        steps, scored = amounts(columns)
        (stepping, scoring, start), (low, high) = self._whole
        per_step = stepping * steps + scoring * scored
        value, least, most = (s * per_step + start for s in (step.value, step.low, step.high))
        return Estimate(value, low * least, high * most)

    @cached_property
    def held_out_error(self) -> float | None:
        """Median |measured / forecast - 1| by leave-one-out over at most MOST_HELD_OUT shapes.

        None with fewer than ENOUGH_SHAPES. Of the networks with or without activations, whichever
        are more.
        """
        kinds = Counter(kind for shape in self.by_shape if (kind := kind_of(shape)) is not None)
        if not kinds or max(kinds.values()) < ENOUGH_SHAPES:
            return None
        x, y = self._observed(max(kinds, key=lambda kind: kinds[kind]))
        out = np.unique(np.linspace(0, len(y) - 1, MOST_HELD_OUT).round().astype(int))
        laws = ((i, fitted(np.delete(x, i, 0), np.delete(y, i))) for i in out)
        return float(np.median([abs(math.expm1(y[i] - law.ln_time(x[i]))) for i, law in laws]))

    def _step_time(self, shape: Shape) -> Estimate | None:
        if (law := self._law(shape)) is None:
            return None
        x = features(shape)
        if not (measured := self.by_shape.get(shape)):
            return _interval(law.ln_time(x), law.sd_at(x), law.df)
        sd, df = self._repeats
        # A few repeats in a row do not show how a machine's speed drifts over hours: then the wider
        # of their interval and the model's counts.
        if df < ENOUGH_REPEATS:
            sd, df = max(self._repeats, (law.sd, law.df), key=_reach)
        return _interval(float(np.log(np.median(measured))), sd, df)

    @cached_property
    def by_shape(self) -> dict[Shape, list[float]]:
        """Measured step times (s) of each shape."""
        shapes: dict[Shape, list[float]] = {}
        for timing in self.timings:
            shapes.setdefault(timing.shape, []).append(timing.step_time_s)
        return shapes

    @cached_property
    def _repeats(self) -> tuple[float, float]:
        """SD of ln step time between measurements of one shape, pooled, and degrees of freedom."""
        groups = [np.log(times) for times in self.by_shape.values() if len(times) > 1]
        df = sum(len(group) - 1 for group in groups)
        if not df:
            return math.nan, 0
        return math.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / df), df

    @cached_property
    def _whole(self) -> tuple[tuple[float, float, float], tuple[float, float]]:
        """Step times per step and per scored batch, seconds besides; and 90 % of actual / fitted.

        Ridge regression of relative errors on whole runs and probes, with the prior STEPPING and
        SCORING, which matters less the more runs there are.
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

    def _observed(self, kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows of `features` of the shapes of a kind, and ln of their median step time."""
        alike = {s: times for s, times in self.by_shape.items() if kind_of(s) == kind}
        x = np.array([features(shape) for shape in alike]).reshape(-1, 2)
        return x, np.log([np.median(times) for times in alike.values()])

    def _law(self, shape: Shape) -> Law | None:
        """The model of shapes that have the same costs as `shape`; None if nothing is known.

        The prior is one of networks with convolutions, and stands in for those alone.
        """
        kind = kind_of(shape)
        if kind is None:
            return None
        if kind not in self._laws:
            x, y = self._observed(kind)
            prior = self.prior if kind else None
            self._laws[kind] = fitted(x, y, prior) if len(y) or prior else None
        return self._laws[kind]


def _interval(log_value: float, sd: float, df: float) -> Estimate:
    value, reach = math.exp(log_value), _reach((sd, df))
    return Estimate(value, value * math.exp(-reach), value * math.exp(reach))


def _reach(error: tuple[float, float]) -> float:
    """Half width of the interval of a (SD, degrees of freedom); -1 if it is not defined."""
    sd, df = error
    if df <= 0 or not math.isfinite(sd):
        return -1.0
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + COVERAGE / 2)) * sd


def forecast_for(
    timings: Iterable[Timing], conditions: tuple[Any, ...], prior: Prior | None = None
) -> Forecast:
    """The forecast from the timings that were measured under `conditions`."""
    return Forecast([timing for timing in timings if timing.conditions == conditions], prior)
