"""Step times of runs that differ in their number of devices on purpose: in device-seconds."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
# In place of the number of processes, of which each run has the one that its plan chose.
AS_PLANNED = "as planned"


def with_device_seconds(rows: Sequence[Row], plan: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Rows whose step time is that of all devices, where the plan chose different numbers of them.

    With one number for all runs nothing changes. Numbers that the plan did not choose stay as they
    are, and are refused as any other mixture.
    """
    counts = [int(row.get("world_size") or 1) for row in rows]
    planned = [int(plan.get(row["run_id"], {}).get("processes") or 1) for row in rows]
    if len(set(counts)) <= 1 or counts != planned:
        return list(rows)
    return [
        {**row, "step_time_s": _times(row["step_time_s"], n), "world_size": AS_PLANNED}
        for row, n in zip(rows, counts, strict=True)
    ]


def _times(seconds: float | None, n: int) -> float | None:
    return None if seconds is None else n * seconds
