"""How runs ended, whether they failed alike, and errors that end a launch."""

import re
from dataclasses import dataclass

from scaling_study.common.format import duration

# Causes that lie outside the runs: a machine that breaks stops no sweep, other machines go on.
OUTSIDE = ("node", "preempted", "cancelled")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its result's status, error and cause; `outcome` is a program's, in words.

    Without a result the status is `running` if another process has it, `stopped` if it was asked
    to stop, for the `cause`, and continues with the next attempt, or `blocked` if a run that it
    starts from is not there, as `error` says.
    """

    run_id: str
    status: str
    error: str | None = None
    cause: str | None = None
    val_error: float | None = None
    wall_s: float | None = None
    outcome: str | None = None


class PoolError(RuntimeError):
    """The server that starts the runs is gone."""


class RepeatedError(RuntimeError):
    """The first runs all failed with the same error, and the rest was not started."""


def ended(outcome: Outcome) -> str:
    """One line about how a run ended."""
    elsewhere = " in another process" if outcome.status == "running" else ""
    text = f"{outcome.run_id} {outcome.status}{elsewhere}"
    if outcome.cause is not None:
        text += f" ({outcome.cause})"
    if outcome.status == "stopped":
        text += ", to continue from its checkpoint"
    if outcome.val_error is not None:
        text += f", error {100 * outcome.val_error:.1f} %"
    if outcome.outcome is not None:
        text += f", {outcome.outcome}"
    if outcome.wall_s is not None:
        text += f", {duration(outcome.wall_s)}"
    return f"{text}: {outcome.error}" if outcome.error else text


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
