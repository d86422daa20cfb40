"""What a run does for its mirror: start a process beside itself, and leave it behind at the end.

That process, the companion, holds a lock on RUN/tracking.txt as long as it lives.
"""

import fcntl
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from scaling_study.config.tracking import MIRRORED, Tracking

# From the end of a companion's time until it is gone, s.
GRACE_S = 1
LOOK_S = 0.1


@contextmanager
def mirrored(run_dir: Path, tracking: Tracking) -> Iterator[None]:
    """Inside, the run in `run_dir` is mirrored as `tracking` asks for; it is never held up there.

    At the end nobody waits: the companion has `finish_timeout_s` seconds to send the rest.
    """
    companion = _start(run_dir, tracking) if tracking.name in MIRRORED else None
    try:
        yield
    finally:
        if companion is not None:
            _leave(companion)


def _start(run_dir: Path, tracking: Tracking) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-m", "scaling_study.tracking.uploader", str(run_dir)]
    try:
        with (run_dir / "tracking.txt").open("ab") as log:
            with suppress(OSError):  # one of an earlier attempt still has it, or no locks here
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def _leave(companion: subprocess.Popen[bytes]) -> None:
    """Tell the companion that the run has ended; it ends by itself."""
    assert companion.stdin is not None
    with suppress(OSError):
        companion.stdin.write(b".")  # a child of the run may hold the pipe open
        companion.stdin.close()
    # If this process lives on, no zombie stays.
    threading.Thread(target=companion.wait, daemon=True).start()


def is_running(run_dir: Path) -> bool:
    """Whether a companion of the run in `run_dir` lives, as far as locks are seen here."""
    try:
        with (run_dir / "tracking.txt").open("r+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def wait_for_uploads(run_dirs: Iterable[Path], tracking: Tracking, limit_s: float) -> None:
    """Wait, once for all of these runs that have ended, until their companions have ended too.

    That takes at most the time that these have, or `limit_s`; a line says so.
    """
    if tracking.name not in MIRRORED:
        return
    limit_s = min(limit_s, tracking.finish_timeout_s)
    left = [run_dir for run_dir in run_dirs if is_running(run_dir)]
    if left:
        print(
            f"W&B: the end of {len(left)} runs is sent, for at most {limit_s:g} s; what it does "
            "not take by then `python -m scaling_study.sync` sends",
            flush=True,
        )
    end = time.monotonic() + limit_s + 2 * GRACE_S
    while left and time.monotonic() < end:
        time.sleep(LOOK_S)
        left = [run_dir for run_dir in left if is_running(run_dir)]
