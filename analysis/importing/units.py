"""Units of foreign columns in words, and their conversion to ours.

Ours are those of `scaling_study.study.result.COLUMNS`: errors are fractions, FLOPs are 2 x
multiply-adds, times are seconds, memory is bytes.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from analysis.stats.pareto import Floats
from scaling_study.common.errors import InputError
from scaling_study.study.result import COLUMNS

OURS = COLUMNS | {
    "model": "name of a model, its weights included",
    "image_time_s": "time per image, s",
}


def _inverse(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return 1 / values


# Words for units of a quantity, each with the factor, or the function, that gives ours.
UNITS: dict[str, dict[str, float | Callable[[Floats], Floats]]] = {
    "error": {"fraction": 1, "percent": 0.01, "accuracy": lambda v: 1 - v,
              "percent accuracy": lambda v: 1 - v / 100},
    "flops": {"FLOPs": 1, "MFLOPs": 1e6, "GFLOPs": 1e9, "MACs": 2, "MMACs": 2e6, "GMACs": 2e9},
    "count": {"count": 1, "thousands": 1e3, "millions": 1e6, "billions": 1e9},
    "time": {"s": 1, "ms": 1e-3, "us": 1e-6, "hours": 3600, "per second": _inverse},
    "memory": {"bytes": 1, "MB": 1e6, "GB": 1e9, "MiB": 2**20, "GiB": 2**30},
}  # fmt: skip


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


def conversion(column: str, word: str) -> Callable[[Floats], Floats]:
    """To our values of a column, from those in the unit that a user named.

    Raises:
        InputError: an unknown word, or a unit of something else.
    """
    units = UNITS.get(quantity_of(column), {})
    unit = {name.lower(): u for name, u in units.items()}.get(" ".join(word.lower().split()))
    if unit is None:
        accepted = f"one of {', '.join(units)}" if units else "none: it has no unit"
        raise InputError(f"unit {word!r} of {column}: give {accepted}")
    return unit if callable(unit) else partial(np.multiply, unit)
