"""Requests to stop a launcher: its runs write checkpoints; a person's second request kills them."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from types import FrameType

from scaling_study.common import stop_request

# Seconds until a run whose launcher was killed has ended: nobody waits for its checkpoint.
ORPHAN_GRACE_S = 5


class Stop:
    """Requests to stop, readable like a file, so that a launcher waits for them and for runs.

    With `patient` a second request, as schedulers send it, changes nothing.
    """

    def __init__(self, patient: bool = False) -> None:
        self._patient = patient
        self._reader, self._writer = os.pipe()
        self.reasons: list[str] = []

    def fileno(self) -> int:
        """The end to wait on: readable after a request that nobody has handled yet."""
        return self._reader

    def request(self, reason: str) -> None:
        """Ask for an end of all work; `reason` becomes that of the runs."""
        self.reasons.append(reason)
        os.write(self._writer, b"x")

    def handle(self) -> bool:
        """Whether runs have to be killed; the end to wait on is not readable any more."""
        os.read(self._reader, 64)
        return len(self.reasons) > 1 and not self._patient

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


@contextmanager
def handled_by(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers, signals: Iterable[int]
) -> Iterator[None]:
    """Let `handler` handle these signals while the context lasts."""
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous or signal.SIG_DFL)


@contextmanager
def requested_by(signals: Mapping[signal.Signals, str], patient: bool = False) -> Iterator[Stop]:
    """A `Stop` that these signals request while the context lasts."""
    with (
        closing(Stop(patient)) as stop,
        handled_by(lambda number, _: stop.request(signals[signal.Signals(number)]), signals),
    ):
        yield stop


def sweep_stops() -> dict[signal.Signals, str]:
    """Signals after one of which runs write checkpoints and end; a second one kills them.

    HUP, of a terminal that is gone, is one of them, unless it is ignored, as under nohup.
    """
    stops = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        stops.append(signal.SIGHUP)
    return dict.fromkeys(stops, "interrupted")


def listen(signals: Mapping[signal.Signals, str]) -> None:
    """Let these signals ask the run in this process to stop."""
    for number, reason in signals.items():
        signal.signal(number, lambda *_, reason=reason: stop_request.request(reason))
