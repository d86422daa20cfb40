"""The columns of the analysis: costs and axes, as tables, sentences and figures show them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.study import axes
from scaling_study.study.axes import CELL_AXES, Axis

Record = dict[str, Any]
# Quantile of the upper end of a 95 % interval.
LEVEL = 0.975
# A value of an axis or of a setting; numbers are compared as numbers.
Level = str | float
CONVENTION = "2 × multiply-adds"


@dataclass(frozen=True)
class Column:
    """A cost that a result has, by its `name` there: what sentences, figures and tables show.

    `title` is for sentences and controls, `label` for the axis of a figure, `unit` follows numbers.
    Arms are described at equal `compared` costs; `frontier` costs have a figure of their own.
    """

    name: str
    title: str
    label: str
    unit: str = ""
    compared: bool = False
    frontier: bool = True


COSTS = (
    Column("step_time_s", "step time", "measured time per training step", "s", compared=True),
    Column("inference_time_s", "forward time", "measured time of a forward pass", "s",
           frontier=False),
    Column("flops", "FLOPs", f"forward FLOPs per image ({CONVENTION})", compared=True),
    Column("params", "parameters", "trainable parameters", compared=True),
    Column("activations", "activations", "activations per image (outputs of convolutions)",
           frontier=False),
    Column("peak_memory_bytes", "peak memory", "peak memory", "B"),
    Column("train_flops", "training FLOPs", f"training FLOPs of a run ({CONVENTION})"),
)  # fmt: skip
COST = {column.name: column for column in COSTS}
COST_NAMES = {column.name: column.title for column in COSTS if column.compared}
ALL_COST_NAMES = {column.name: column.title for column in COSTS}

# What results say of the learning rate, whatever batch size and key a grid sets it by.
LR = Axis("lr", "train.lr_per_256", "lr", "learning rate", "learning rate")
# What every cell has a column of, and along which its arms may scale: all but training length.
SETTINGS = (*(axis.name for axis in CELL_AXES), LR.name)
AXES = tuple(name for name in SETTINGS if name != "epochs")
# Tables begin with the regime.
TABLE_ORDER = ("epochs", "resolution", "depth", "width")
TABLE_AXES = tuple(sorted(CELL_AXES, key=lambda axis: TABLE_ORDER.index(axis.name)))


def interval(name: str, value: float, half: float | None) -> Record:
    """A value with both ends of its interval as columns; the ends are None where it has none."""
    low, high = (None, None) if half is None else (value - half, value + half)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def finite(value: float) -> float | None:
    """A number as JSON and CSV have it: None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def own_axes(grid: Mapping[str, Any]) -> list[Axis]:
    """The axes that only this grid has; the learning rate among them is a column of results."""
    return [LR if axis.key == LR.key else axis for axis in axes.own_axes(grid)]
