"""Step times that `python -m scaling_study.measure` took with the machine to itself."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.study.step_times import STEP_TIME, StepTime
from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, csv_in

# What identifies a shape there.
MEASURED_SHAPE = (
    *("family", "depth", "width", "resolution", "batch_size", "precision", "device", "threads"),
)
COUNT, LOG_SD = "measurements", "step_time_log_sd"
Key = tuple[str | float, ...]


def with_measured_times(
    rows: Sequence[Mapping[str, Any]], study_dir: Path
) -> list[Mapping[str, Any]]:
    """The runs of a study, each with its `measured` step time if measured.csv has those of all.

    In a sweep runs slow each other down: a time from there and an exclusive one do not compare.
    Shapes that were measured once do not count, because nothing says how well they are known.

    Raises:
        InputError: measured.csv cannot be read.
    """
    path = study_dir / "measured.csv"
    if not path.is_file():
        return list(rows)
    known = _read(path)
    if any(_key(row) not in known for row in rows):
        return list(rows)
    return [{**row, "measured": known[_key(row)]} for row in rows]


def _key(row: Mapping[str, Any]) -> Key:
    """A shape; numbers are compared as numbers, whatever a file makes of them."""
    return tuple(_number(row.get(name)) for name in MEASURED_SHAPE)


def _number(value: Any) -> str | float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _read(path: Path) -> dict[Key, StepTime]:
    """The step time of every shape in the file that was measured twice or more.

    Rows of one shape, which differ in what does not change its speed, are taken together.
    """
    found: dict[Key, list[tuple[float, float, int]]] = defaultdict(list)
    try:
        for row in csv_in(path):
            count = int(float(row.get(COUNT) or 1))
            if count > 1:
                measured = math.log(float(row[STEP_TIME])), float(row[LOG_SD]), count
                if not all(map(math.isfinite, measured)) or measured[1] < 0:
                    raise UnreadableError(f"{STEP_TIME}={row[STEP_TIME]}, {LOG_SD}={row[LOG_SD]}")
                found[_key(row)].append(measured)
    except (OSError, ValueError, KeyError, OverflowError) as error:
        raise InputError(
            f"{path} cannot be read ({error!r}); `python -m scaling_study.measure` writes it anew"
        ) from None
    return {key: _combined(key, values) for key, values in found.items()}


def _combined(key: Key, measured: Sequence[tuple[float, float, int]]) -> StepTime:
    """One step time of (ln(seconds), SD of ln(seconds), measurements) of one shape."""
    logs, sds, counts = (np.array(column) for column in zip(*measured, strict=True))
    df = float((counts - 1).sum())
    variance = float((sds**2 * (counts - 1)).sum()) / df
    seconds = math.exp(float(np.average(logs, weights=counts)))
    return StepTime(key, seconds, math.sqrt(variance / counts.sum()), df, "measured")
