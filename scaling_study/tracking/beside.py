"""What a run does for its mirror: start a process beside itself, and wait for it, not for long."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from scaling_study.tracking.options import Tracking

# What the companion needs at most to notice the end, beyond the time that it has to finish, s.
GRACE_S = 0.5


@contextmanager
def mirrored(run_dir: Path, tracking: Tracking) -> Iterator[None]:
    """Inside, the run in `run_dir` is mirrored as `tracking` asks for; it is never held up there.

    At the end the mirror has `finish_timeout_s` seconds to send the rest, then it is stopped.
    """
    companion = _start(run_dir, tracking) if tracking.name in ("online", "offline") else None
    try:
        yield
    finally:
        if companion is not None:
            _stop(companion, tracking.finish_timeout_s + GRACE_S)


def _start(run_dir: Path, tracking: Tracking) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-m", "scaling_study.tracking.companion", str(run_dir)]
    try:
        with (run_dir / "tracking.txt").open("ab") as log:
            return subprocess.Popen(
                [*command, json.dumps(asdict(tracking))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:  # no memory or no process left: the run matters more
        print(f"not tracked: {error}", flush=True)
        return None


def _stop(companion: subprocess.Popen[bytes], timeout_s: float) -> None:
    assert companion.stdin is not None
    with suppress(OSError):
        companion.stdin.write(b".")  # a child of the run may hold the pipe open
        companion.stdin.close()
    try:
        companion.wait(timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(companion.pid, signal.SIGKILL)
        companion.wait()
