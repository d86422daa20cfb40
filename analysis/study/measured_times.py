"""Times that were measured with the machine to themselves: measured.csv."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.study.step_times import StepTime
from scaling_study.study.measured import (
    DEVICE,
    ENOUGH,
    FORWARD_TIME,
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

    So has each the time of its forward passes, with the standard error of its logarithm.
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
    return [{**row, **times} for row, times in zip(rows, found, strict=True) if times]


def _where(config_id: str, row: Mapping[str, Any]) -> Where:
    return config_id, str(row.get(DEVICE)), str(row.get(THREADS))


def _known(study_dir: Path) -> dict[Where, dict[str, Any]]:
    """The times of cells whose network was measured often enough."""
    found = dict[Where, dict[str, Any]]()
    for row in read_measured(study_dir):
        try:
            times = _times(row) if config_ids_of(row) else None
        except (ValueError, KeyError) as error:
            raise unreadable(study_dir, error) from None
        if times is not None:
            found |= {_where(config_id, row): times for config_id in config_ids_of(row)}
    return found


def _times(row: Mapping[str, str]) -> dict[str, Any] | None:
    """What runs of a measured network are told; None if it was measured too few times."""
    if (count := int(row.get(MEASUREMENTS) or 1)) < ENOUGH:
        return None
    math.log(seconds := float(row[STEP_TIME]))  # a ValueError unless it is above 0
    log_se = float(row[LOG_SD[STEP_TIME]]) / math.sqrt(count)
    times: dict[str, Any] = {
        "measured": StepTime(key_of(row), seconds, log_se, count - 1, "measured")
    }
    # An earlier version did not keep by how much forward passes differ.
    if spread := row.get(LOG_SD[FORWARD_TIME]):
        math.log(seconds := float(row[FORWARD_TIME]))
        log_ses = {FORWARD_TIME: float(spread) / math.sqrt(count)}
        times |= {FORWARD_TIME: seconds, "log_ses": log_ses}
    return times
