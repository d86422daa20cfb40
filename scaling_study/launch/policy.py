"""Limits of runs, retries, and when a launcher gives up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scaling_study.common.validation import require
from scaling_study.launch.outcome import Outcome
from scaling_study.study.result import CAUSES


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
            value = getattr(self, name)
            require(value is None or value > 0, f"launcher.{name}", value, "must be above 0")
        n = self.stop_after_same_error
        require(n >= 0, "launcher.stop_after_same_error", n, "must be 0 or more")


# Causes that lie outside the runs: a machine that breaks stops no sweep, other machines go on.
OUTSIDE = ("node", "preempted", "cancelled")
UNLIMITED = Policy(retry={}, timeout_min=None, memory_gb=None, stop_after_same_error=0)


class SameError:
    """Watches the first runs that end: do they all fail in the same way?"""

    def __init__(self, n: int) -> None:
        self._n, self._seen = n, list[str]()

    def stops(self, outcome: Outcome) -> bool:
        """Whether, with this outcome, the first n have all failed with the same error."""
        if len(self._seen) < self._n:
            self._seen.append(kind_of_failure(outcome))
        return 0 < self._n == len(self._seen) and len(set(self._seen)) == 1 and self._seen[0] != ""


def kind_of_failure(outcome: Outcome) -> str:
    """What makes failures the same: the cause, and the message without the run and numbers.

    Empty for no failure, and for one that has nothing to do with other runs.
    """
    if outcome.status != "failed" or outcome.cause in OUTSIDE:
        return ""
    message = (outcome.error or "").replace(outcome.run_id, "")
    return f"{outcome.cause} {re.sub(r'[0-9]+', '0', message)}"
