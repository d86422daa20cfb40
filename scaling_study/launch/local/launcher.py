"""`launcher=local`: a pool of processes on this machine."""

from collections.abc import Iterator

from scaling_study.launch.base import Launch, Launcher
from scaling_study.launch.local import pool
from scaling_study.launch.options import PolicyOptions
from scaling_study.launch.outcome import Outcome


def launch(call: Launch) -> Iterator[Outcome]:
    """See `pool.launch`."""
    return pool.launch(call.jobs, call.slots, call.options, call.stop)


LAUNCHER = Launcher(name="local", options=PolicyOptions, launch=launch)
