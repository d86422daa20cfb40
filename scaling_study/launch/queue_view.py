"""What the queues of launchers know about runs, in plain fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What accounting has answered about jobs that have ended, by job: it is not asked again.
Accounts = dict[str, Any]


@dataclass(frozen=True)
class LostRun:
    """What became of a run whose job has ended without a result.

    It failed, or just did not run. A failure that was recorded before is no new one. `log` is what
    its job printed.
    """

    failed: bool
    cause: str | None
    message: str
    log: Path | None = None


@dataclass(frozen=True)
class RunInQueue:
    """A run's state, and the job that a queue has or had for it.

    `live`: the job may still do something. While it waits, `reason` says what for. `starts_at` is
    its expected start in seconds since 1970. `lost` is set if the job has ended without a result.
    """

    state: str
    job: str | None = None
    live: bool = False
    reason: str | None = None
    starts_at: float | None = None
    lost: LostRun | None = None


@dataclass(frozen=True)
class QueueView:
    """Every run's state, and whether all queues that were asked have answered (None: none was).

    A queue counts as silent as well while its accounting may yet report the end of a job.
    """

    runs: Mapping[str, RunInQueue]
    answered: bool | None
