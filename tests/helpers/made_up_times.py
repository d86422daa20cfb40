"""Measurements of devices that nobody has: with a known law, of any run, with noise."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.tiny import TINY
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import SCORING, Timing, amounts, shape_of
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.planning.plan import Planned, plan
from scaling_study.study.store import Store

NOTHING = Times([], 1)


def rows_of(grid: dict[str, Any], times: Times = NOTHING) -> list[Planned]:
    cells, _ = cells_of({"name": "g", **grid}, TINY, times)
    return plan([*ancestors(cells), *cells], Store(Path("none")), {}, times)


def shaken(known: list[Timing], rng: np.random.Generator, sd: float) -> list[Timing]:
    """Measurements with noise in the logarithm."""
    return [replace(t, step_time_s=t.step_time_s * math.exp(rng.normal(0, sd))) for t in known]


def timings(seconds: Callable[[RunConfig], float], **axes: list[Any]) -> list[Timing]:
    """Made-up measurements of a product of cells."""
    runs = [row.run for row in rows_of({"axes": axes})]
    columns = [describe(run) for run in runs]
    return [
        Timing(
            NOTHING.conditions(run),
            shape_of(c),
            seconds(run),
            *amounts(c),
            wall_s=seconds(run) * work(c),
        )
        for run, c in zip(runs, columns, strict=True)
    ]


def work(columns: Any, scoring: float = SCORING[0]) -> float:
    """A run in training steps."""
    steps, scored = amounts(columns)
    return steps + scoring * scored


def law(run: RunConfig) -> float:
    """A device whose step time is a power law of a batch's FLOPs and activations."""
    c = describe(run)
    return float(1e-9 * (16 * c["flops"]) ** 0.3 * (16 * c["activations"]) ** 0.6)


SIZES = {"depth": [14, 26, 38], "width": [0.125, 0.25], "resolution": [16, 32]}


def made_up(seconds: float, run: RunConfig, device: str = "", world: int = 1) -> Timing:
    """A measurement of a run's shape."""
    here, precision, *_ = NOTHING.conditions(run)
    return Timing((device or here, precision, 1, world), shape_of(describe(run)), seconds)


SOLVED = (
    "+grid=smoke",
    "grid.points=[{}]",
    "grid.axes.depth=[14]",
    "++grid.solve={width: {step_time_s: [0.01, 0.02], tolerance: 0.5}}",
    "launcher=inline",
    "precision=fp32",
)
