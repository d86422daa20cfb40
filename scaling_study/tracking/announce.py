"""Where runs can be seen while they train, printed; and messages about a sweep."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from scaling_study.common.own_process import calling
from scaling_study.config.tracking import Tracking
from scaling_study.tracking.base import Alert, TrackingError
from scaling_study.tracking.registry import tracker

# What a message may take beyond the tracker's own limits on time, s.
START_S = 30
# How long a command that has nothing else to do waits for an address, s.
PATIENCE_S = 5


@contextmanager
def announced(tracking: Tracking, run_id: str | None = None) -> Iterator[None]:
    """Inside, the address of the project is printed as soon as it is known, and that of the run.

    Without a `run_id` it says where each run is.
    """
    chosen = tracker(tracking.name)

    def announce() -> None:
        with suppress(Exception):  # a tracker of the user's own harms nothing
            if page := chosen.page(tracking):
                run = f"run at {page}/runs/{run_id}" if run_id else "a run at …/runs/RUN_ID"
                print(f"{chosen.title}: project at {page}, {run}", flush=True)

    thread = threading.Thread(target=announce, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)


def send_alert(tracking: Tracking, alert: Alert) -> None:
    """Send a message if `tracking` asks for it; prints why, if it is not taken."""
    if not tracking.alerts:
        return
    values = json.dumps([asdict(tracking), asdict(alert)])
    limit_s = START_S + 2 * tracking.finish_timeout_s
    try:
        done = subprocess.run(
            [*calling(__name__, "command"), values],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "no answer in time" if isinstance(error, subprocess.TimeoutExpired) else str(error)
    else:
        if done.returncode == 0:
            return
        why = (done.stdout + done.stderr).strip().rpartition("\n")[2]
    print(f"{tracker(tracking.name).title}: no alert was sent: {why}", flush=True)


def command() -> None:
    """Called with a `Tracking` and an `Alert` as JSON."""
    values, message = json.loads(sys.argv[1])
    tracking = Tracking.of(values)
    chosen = tracker(tracking.name)
    assert chosen.alert is not None
    try:
        chosen.alert(tracking, Alert(**message))
    except TrackingError as error:
        sys.exit(str(error))
