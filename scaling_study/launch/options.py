"""Settings of launchers: what all of them have, and what those have that watch over their runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.common.validation import require
from scaling_study.config.execution import processes_of
from scaling_study.launch.slots import AUTO
from scaling_study.study.result import CAUSES

# More than any machine has places for runs.
MOST_SLOTS = 100_000


def check(options: object, name: str, ok: Callable[[Any], bool], accepted: str) -> None:
    """Raise an InputError that names the setting, unless it is None or `ok`."""
    value = getattr(options, name)
    require(value is None or ok(value), f"launcher.{name}", value, accepted)


@dataclass(frozen=True, kw_only=True)
class LauncherOptions:
    """`slots` runs at a time, `slots_per_gpu` on a GPU (AUTO: as fit), of `threads` CPU threads."""

    name: str
    slots: int
    slots_per_gpu: int
    threads: int

    def __post_init__(self) -> None:
        for key in ("slots", "slots_per_gpu"):
            check(self, key, lambda n: n >= 1 or n == AUTO, "must be 1 or more, or auto")
            check(self, key, lambda n: n <= MOST_SLOTS, f"must be {MOST_SLOTS} or less")
        check(self, "threads", lambda n: n >= 1, "must be 1 or more")

    @property
    def waits_for_runs(self) -> bool:
        """Whether a sweep stays until its runs have ended; else it submits them and leaves."""
        return True

    @property
    def processes(self) -> int:
        """How many processes train one run together."""
        return processes_of(vars(self))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Limits of a run and what follows failures.

    `timeout_min` is the time of one attempt, `memory_gb` the resident memory of the run's process
    (10^9 bytes), both None for no limit. `retry` is the number of retries of a run in this call, by
    cause; it continues from its checkpoint. With `stop_after_same_error` first runs that all
    fail in the same way the rest is not started (0: never).
    """

    retry: Mapping[str, int]
    timeout_min: float | None
    memory_gb: float | None
    stop_after_same_error: int

    def __post_init__(self) -> None:
        known = ", ".join(CAUSES)
        for cause, n in self.retry.items():
            require(cause in CAUSES, "launcher.retry", cause, f"no such cause; known: {known}")
            whole = isinstance(n, int) and not isinstance(n, bool) and n >= 0
            require(whole, f"launcher.retry.{cause}", n, "must be a whole number, 0 or more")
        for name in ("timeout_min", "memory_gb"):
            check(self, name, lambda x: x > 0, "must be above 0")
        check(self, "stop_after_same_error", lambda n: n >= 0, "must be 0 or more")


UNLIMITED = Policy(retry={}, timeout_min=None, memory_gb=None, stop_after_same_error=0)


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(LauncherOptions, Policy):
    """Settings of a launcher that limits runs and tries them again."""

    def __post_init__(self) -> None:
        LauncherOptions.__post_init__(self)
        Policy.__post_init__(self)
