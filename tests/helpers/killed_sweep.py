"""A sweep that is killed for real while it works."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from helpers import warm_python
from helpers.commands import environment


def kill_once_there(words: Sequence[str], folder: Path, pattern: str) -> None:
    """Sweep in `folder`, and kill it with all its processes once a file matches `pattern`."""
    sweep = warm_python.start(
        "scaling_study.sweep",
        *words,
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while not list(folder.glob(pattern)):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(sweep.pid, signal.SIGKILL)
    sweep.wait()
