"""How a run is asked to stop: whoever has a reason leaves it here, the loop looks after each step.

The loop then writes a checkpoint and raises `Stopped`. No torch here: signal handlers use it.
"""

_reason: str | None = None


class Stopped(BaseException):
    """The run stopped, with a checkpoint, because it was asked to; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def request(reason: str) -> None:
    """Ask the run in this process to stop; the first reason counts."""
    global _reason
    _reason = _reason or reason


def requested() -> str | None:
    """Why the run is to stop, or None."""
    return _reason
