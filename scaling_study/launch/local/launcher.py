"""`launcher=local`: a pool of processes on this machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scaling_study.launch.base import Launcher
from scaling_study.launch.local import pool
from scaling_study.launch.options import PolicyOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.request import Request
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop_signals import Stop


def launch(
    requests: Sequence[Request],
    options: PolicyOptions,
    study_dir: Path,
    slots: Sequence[Slot],
    stop: Stop,
) -> Iterator[Outcome]:
    """See `pool.launch`."""
    return pool.launch([request.job for request in requests], slots, options.policy, stop)


LAUNCHER = Launcher(name="local", options=PolicyOptions, launch=launch)
