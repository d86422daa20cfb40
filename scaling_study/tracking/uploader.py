"""The process that hands one run's files to a sink.

A run never talks to a tracker: it writes metrics.jsonl and result.json as always, and this process
hands on what it finds there. A dead server, or a sink that raises, hangs or crashes, cannot disturb
the run. Nobody waits for the uploader: it ends soon after the run does, however the run ends, and
so does everything that it started.
"""

import fcntl
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaling_study.common.sink import Sink
from scaling_study.config.tracking import Tracking
from scaling_study.tracking.base import Tracker, TrackingError
from scaling_study.tracking.payload import payload_of, rows_of, tracked_run
from scaling_study.tracking.registry import tracker
from scaling_study.tracking.uploader_handle import COMPLETE, GRACE_S

# Between two looks at the run's files, and between two attempts to open a sink, s.
POLL_S = 2
RETRY_S = 60
# Runs come first on a busy machine; at 19 the uploader might not get any time.
NICENESS = 10
Row = tuple[int, Mapping[str, Any]]


def main(run_dir: Path, tracking: Tracking) -> None:
    """Hand on the run in `run_dir` until the process that started this one closes our input."""
    os.nice(NICENESS)
    ended = threading.Event()
    watched = (ended, os.getppid(), tracking.finish_timeout_s)
    threading.Thread(target=_watch, args=watched, daemon=True).start()
    with suppress(OSError):  # a run has one writer: wait for the uploader of an earlier attempt
        fcntl.flock(sys.stdout, fcntl.LOCK_EX)
    chosen = tracker(tracking.name)
    while True:
        try:
            _mirror(run_dir, tracking, chosen, ended)
            return print(COMPLETE, flush=True)
        except TrackingError as error:
            print(f"{chosen.title}: {error}", flush=True)
        if ended.wait(RETRY_S):
            return


def _mirror(run_dir: Path, tracking: Tracking, chosen: Tracker, ended: threading.Event) -> None:
    assert chosen.open is not None
    sink, given = chosen.open(tracked_run(run_dir, tracking, os.getppid())), list[Row]()
    while not ended.wait(POLL_S):
        given = hand_on(sink, given, rows_of(run_dir))
    payload = payload_of(run_dir)
    hand_on(sink, given, payload.rows)
    sink.finish(payload.marked_summary)


def hand_on(sink: Sink, given: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Give `sink` those of `rows` that it was not `given`; returns what it has now.

    A run that went on from an earlier checkpoint has removed rows, and writes them anew.
    """
    same = 0
    while same < min(len(given), len(rows)) and given[same] == rows[same]:
        same += 1
    for number, row in rows[same:]:
        sink.write(number, row)
    return [*rows]


def _watch(ended: threading.Event, parent: int, finish_timeout_s: float) -> None:
    """Set `ended` when the run ends; kill this process if it does not finish in time after that."""
    while not ended.is_set():
        readable, _, _ = select.select([sys.stdin], [], [], 1)
        if readable or os.getppid() != parent:
            ended.set()
    timer = threading.Timer(finish_timeout_s + GRACE_S, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def command() -> None:
    """Called with the run's folder and its `Tracking` as JSON."""
    main(Path(sys.argv[1]), Tracking.of(json.loads(sys.argv[2])))
