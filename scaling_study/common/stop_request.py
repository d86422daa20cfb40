"""A request to stop: the loop saves a checkpoint after the step in work and raises `Stopped`.

Torch-free, so that launchers may import it. Signal handlers call `request`.
"""

# Where the processes of a run were told different things, the first of these counts.
REASONS = ("cancelled", "host_memory", "timeout", "preempted", "interrupted")

_reason: str | None = None


class Stopped(BaseException):
    """Training ended on request, behind a checkpoint. No error of the run's: it continues later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def request(reason: str) -> None:
    """Ask the run in this process to stop, for one of `REASONS`; safe in a signal handler."""
    global _reason
    _reason = reason


def requested() -> str | None:
    """Why this process was asked to stop, or None."""
    return _reason


def clear() -> None:
    """Forget the request, before another run starts in this process."""
    global _reason
    _reason = None
