"""Step times that were measured with the machine to themselves: measured.csv."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.study.step_times import StepTime
from scaling_study.study.measured import (
    DEVICE,
    ENOUGH,
    LOG_SD,
    MEASUREMENTS,
    STEP_TIME,
    THREADS,
    config_ids_of,
    key_of,
    read_measured,
    unreadable,
)

# A cell on a device with a number of CPU threads.
Where = tuple[str, str, str]


def with_measured_times(
    rows: Sequence[Mapping[str, Any]], study_dir: Path
) -> list[Mapping[str, Any]]:
    """The runs of a study, each with its `measured` step time if measured.csv has those of all.

    In a sweep runs slow each other down: a time from there and an exclusive one do not compare.
    Networks that were measured once do not count, because nothing says how well they are known;
    nor do measurements say anything of runs that several processes trained together.

    Raises:
        InputError: measured.csv cannot be read.
    """
    known = _known(study_dir)
    found = [
        known.get(_where(str(row.get("config_id")), row))
        for row in rows
        if (row.get("world_size") or 1) == 1
    ]
    if None in found or len(found) < len(rows):
        return list(rows)
    return [{**row, "measured": time} for row, time in zip(rows, found, strict=True)]


def _where(config_id: str, row: Mapping[str, Any]) -> Where:
    return config_id, str(row.get(DEVICE)), str(row.get(THREADS))


def _known(study_dir: Path) -> dict[Where, StepTime]:
    """The step times of cells whose network was measured often enough."""
    found = dict[Where, StepTime]()
    for row in read_measured(study_dir):
        try:
            time = _step_time(row) if config_ids_of(row) else None
        except (ValueError, KeyError) as error:
            raise unreadable(study_dir, error) from None
        if time is not None:
            found |= {_where(config_id, row): time for config_id in config_ids_of(row)}
    return found


def _step_time(row: Mapping[str, str]) -> StepTime | None:
    """Mean and standard error of ln(step time); None if it was measured too few times."""
    if (count := int(row.get(MEASUREMENTS) or 1)) < ENOUGH:
        return None
    math.log(seconds := float(row[STEP_TIME]))  # a ValueError unless it is above 0
    log_se = float(row[LOG_SD]) / math.sqrt(count)
    return StepTime(key_of(row), seconds, log_se, count - 1, "measured")
