"""Units of foreign columns in words, and their conversion to ours.

Ours are those of `scaling_study.study.result.COLUMNS`: errors are fractions, FLOPs are 2 x
multiply-adds, times are seconds, memory is bytes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analysis.stats.pareto import Floats
from scaling_study.common.errors import InputError
from scaling_study.study.result import COLUMNS

EXTRA = {
    "model": "name of a model, its weights included",
    "image_time_s": "time per image, s",
}
OURS = COLUMNS | EXTRA


class Unit(NamedTuple):
    """Which quantity a word is about, and from its numbers to ours."""

    quantity: str
    convert: Callable[[Floats], Floats]


def _inverse(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return 1 / values


def _times(factor: float) -> Callable[[Floats], Floats]:
    return lambda values: values * factor


UNITS: dict[str, Unit] = {
    "fraction": Unit("error", _times(1)),
    "percent": Unit("error", _times(0.01)),
    "accuracy": Unit("error", lambda v: 1 - v),
    "percent accuracy": Unit("error", lambda v: 1 - v / 100),
    "FLOPs": Unit("flops", _times(1)),
    "MFLOPs": Unit("flops", _times(1e6)),
    "GFLOPs": Unit("flops", _times(1e9)),
    "MACs": Unit("flops", _times(2)),
    "MMACs": Unit("flops", _times(2e6)),
    "GMACs": Unit("flops", _times(2e9)),
    "count": Unit("count", _times(1)),
    "thousands": Unit("count", _times(1e3)),
    "millions": Unit("count", _times(1e6)),
    "billions": Unit("count", _times(1e9)),
    "s": Unit("time", _times(1)),
    "ms": Unit("time", _times(1e-3)),
    "us": Unit("time", _times(1e-6)),
    "hours": Unit("time", _times(3600)),
    "per second": Unit("time", _inverse),
    "bytes": Unit("memory", _times(1)),
    "MB": Unit("memory", _times(1e6)),
    "GB": Unit("memory", _times(1e9)),
    "MiB": Unit("memory", _times(2**20)),
    "GiB": Unit("memory", _times(2**30)),
}


def quantity_of(column: str) -> str:
    """What one of our columns measures: error, flops, count, time, memory or number."""
    if column in ("val_error", "train_error"):
        return "error"
    if column.endswith("flops"):
        return "flops"
    if column in ("params", "activations", "n_train", "n_val"):
        return "count"
    if column.endswith("_time_s") or column == "wall_s":
        return "time"
    return "memory" if column.endswith("_bytes") else "number"


def unit_of(column: str, word: str) -> Unit:
    """The unit a user named for one of our columns.

    Raises:
        InputError: an unknown word, or a unit of something else.
    """
    known = {name.lower(): unit for name, unit in UNITS.items()}
    unit = known.get(" ".join(word.lower().split()))
    fitting = [name for name, u in UNITS.items() if u.quantity == quantity_of(column)]
    if unit is None or unit.quantity != quantity_of(column):
        accepted = f"one of {', '.join(fitting)}" if fitting else "none: it has no unit"
        raise InputError(f"unit {word!r} of {column}: give {accepted}")
    return unit
