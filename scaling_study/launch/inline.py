"""Runs one after the other in this process: for debugging, and for a scheduler's own workers."""

import signal
from collections.abc import Iterator, Sequence
from types import FrameType

from scaling_study.common import stop_request
from scaling_study.launch.failure_causes import REQUESTS
from scaling_study.launch.job import Job
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.stop_signals import Stop


def launch(jobs: Sequence[Job], stop: Stop | None = None) -> Iterator[Outcome]:
    """The outcome of each job, in order.

    A first Ctrl-C, or a signal of `REQUESTS`, lets the run in work write a checkpoint and starts
    no other, which `stop` is told; a second one ends it at once.
    """
    signals = {signal.SIGINT: "interrupted", **REQUESTS}

    def handler(number: int, frame: FrameType | None) -> None:
        if stop_request.requested():
            raise KeyboardInterrupt
        reason = signals[signal.Signals(number)]
        stop_request.request(reason)
        if stop is not None:
            stop.request(reason)

    before = {number: signal.signal(number, handler) for number in signals}
    try:
        for job in jobs:
            if not stop_request.requested():
                yield job()
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
        stop_request.clear()
