"""A run's side of its upload: it starts the uploader process, and does not wait for it at the end.

The uploader holds a lock on RUN/tracking.txt as long as it lives.
"""

import fcntl
import json
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from scaling_study.common.files import file_end, no_link
from scaling_study.common.own_process import calling
from scaling_study.config.tracking import Tracking
from scaling_study.tracking.registry import tracker

# From the end of an uploader's time until it is gone, s.
GRACE_S = 1
LOOK_S = 0.1
LOG = "tracking.txt"
UPLOADER = "scaling_study.tracking.uploader"
# An uploader's last line in RUN/tracking.txt when its sink has taken everything.
COMPLETE = "complete"


@contextmanager
def uploading(run_dir: Path, tracking: Tracking) -> Iterator[None]:
    """Inside, the run in `run_dir` is uploaded if `tracking` says so; the run never waits for it.

    After the end the uploader has `finish_timeout_s` seconds to send the rest.
    """
    uploader = _start(run_dir, tracking) if tracker(tracking.name).open else None
    try:
        yield
    finally:
        if uploader is not None and uploader.stdin is not None:
            with suppress(OSError):
                uploader.stdin.write(b".")  # a child of the run may hold the pipe open
                uploader.stdin.close()
            # Reaps the process, or it would stay as a zombie while this one lives.
            threading.Thread(target=uploader.wait, daemon=True).start()


def _start(run_dir: Path, tracking: Tracking) -> subprocess.Popen[bytes] | None:
    command = [*calling(UPLOADER, "command"), str(run_dir)]
    try:
        with open(run_dir / LOG, "ab", opener=no_link) as log:
            # An earlier attempt's uploader still has it, or the disk has no locks.
            with suppress(OSError):
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return subprocess.Popen(
                [*command, json.dumps(asdict(tracking))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:  # no memory or no process left: the run goes on without
        print(f"not tracked: {error}", flush=True)
        return None


def is_running(run_dir: Path) -> bool:
    """Whether the run in `run_dir` has an uploader; locks of other hosts may be invisible."""
    try:
        with (run_dir / LOG).open("r+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def wait_for_uploads(run_dirs: Iterable[Path], tracking: Tracking, limit_s: float) -> None:
    """Wait until the uploaders of all of these runs, which have ended, have ended too.

    Waits `tracking.finish_timeout_s` or `limit_s` seconds at most, and prints a line about it, and
    one about runs that were not taken whole.
    """
    chosen, run_dirs = tracker(tracking.name), list(run_dirs)
    if chosen.open is None:
        return
    limit_s = min(limit_s, tracking.finish_timeout_s)
    left = [run_dir for run_dir in run_dirs if is_running(run_dir)]
    if left:
        print(
            f"{chosen.title}: the end of {len(left)} runs is sent, for at most {limit_s:g} s",
            flush=True,
        )
    end = time.monotonic() + limit_s + 2 * GRACE_S
    while left and time.monotonic() < end:
        time.sleep(LOOK_S)
        left = [run_dir for run_dir in left if is_running(run_dir)]
    if missing := [run_dir for run_dir in run_dirs if not _is_complete(run_dir)]:
        later = f"; {chosen.later}" if chosen.later else ""
        print(
            f"{chosen.title}: {len(missing)} of {len(run_dirs)} runs were not taken whole; see "
            f"{missing[0] / LOG}{later}",
            flush=True,
        )


def _is_complete(run_dir: Path) -> bool:
    """Whether a run has no uploader's log, as one that was done before, or one that ends well."""
    try:
        lines = file_end(run_dir / LOG).splitlines()
    except OSError:
        return True
    return lines[-1:] == [COMPLETE]
