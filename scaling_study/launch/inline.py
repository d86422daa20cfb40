"""`launcher=inline`: one run after the other in this process, for debugging and single runs."""

import signal
from collections.abc import Iterator, Sequence
from types import FrameType

from scaling_study.common import stop_request
from scaling_study.common.ranks import ALONE, World
from scaling_study.launch.base import Launcher
from scaling_study.launch.failure_causes import REQUESTS
from scaling_study.launch.job import Job
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.stop_signals import Stop, handled_by


def launch(
    jobs: Sequence[Job], stop: Stop | None = None, world: World = ALONE
) -> Iterator[Outcome]:
    """The outcome of each job, in order; all processes of `world` call this together.

    A first Ctrl-C, or a signal of `REQUESTS`, lets the run at work write a checkpoint, starts no
    other, and is passed on to `stop`; a second one ends it at once.
    """
    signals = {signal.SIGINT: "interrupted", **REQUESTS}

    def handler(number: int, frame: FrameType | None) -> None:
        if stop_request.requested():
            raise KeyboardInterrupt
        reason = signals[signal.Signals(number)]
        stop_request.request(reason)
        if stop is not None:
            stop.request(reason)

    try:
        with handled_by(handler, signals):
            for job in jobs:
                if not stop_request.requested():
                    yield job(world)
    finally:
        stop_request.clear()


LAUNCHER = Launcher(
    name="inline", options=LauncherOptions, launch=lambda call: launch(call.jobs, call.stop)
)
