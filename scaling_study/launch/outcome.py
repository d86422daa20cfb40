"""How a run ended, and errors that end a launch."""

from dataclasses import dataclass

from scaling_study.common.format import duration


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its result's status, error and cause.

    Without a result the status is `running` if another process has it, or `stopped` if it was
    asked to stop, for the `cause`, and continues with the next attempt.
    """

    run_id: str
    status: str
    error: str | None = None
    cause: str | None = None
    val_error: float | None = None
    wall_s: float | None = None


class PoolError(RuntimeError):
    """The server that starts the runs is gone."""


class RepeatedError(RuntimeError):
    """The first runs all failed with the same error, and the rest was not started."""


def ended(outcome: Outcome) -> str:
    """One line about how a run ended."""
    elsewhere = " in another process" if outcome.status == "running" else ""
    text = f"{outcome.run_id} {outcome.status}{elsewhere}"
    if outcome.status == "stopped":
        text += f" ({outcome.cause}), to continue from its checkpoint"
    elif outcome.cause is not None:
        text += f" ({outcome.cause})"
    if outcome.val_error is not None:
        text += f", error {100 * outcome.val_error:.1f} %"
    if outcome.wall_s is not None:
        text += f", {duration(outcome.wall_s)}"
    return f"{text}: {outcome.error}" if outcome.error else text
