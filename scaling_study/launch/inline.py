"""Runs one after the other in this process: for debugging, and for a scheduler's own workers."""

import signal
from collections.abc import Iterator, Sequence
from types import FrameType

from scaling_study.launch.causes import REQUESTS
from scaling_study.launch.job import Job, Outcome
from scaling_study.launch.stop import Stop
from scaling_study.training import stopping


def launch(jobs: Sequence[Job], stop: Stop | None = None) -> Iterator[Outcome]:
    """The outcome of each job, in order.

    A first Ctrl-C, or a signal of `REQUESTS`, lets the run in work write a checkpoint and starts
    no other, which `stop` is told; a second one ends it at once.
    """
    signals = {signal.SIGINT: "interrupted", **REQUESTS}

    def handler(number: int, frame: FrameType | None) -> None:
        if stopping.requested():
            raise KeyboardInterrupt
        reason = signals[signal.Signals(number)]
        stopping.request(reason)
        if stop is not None:
            stop.request(reason)

    before = {number: signal.signal(number, handler) for number in signals}
    try:
        for job in jobs:
            if not stopping.requested():
                yield job()
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
        stopping.clear()
