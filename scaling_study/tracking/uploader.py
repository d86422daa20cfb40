"""The process beside a run that mirrors its files: `-m scaling_study.tracking.uploader RUN ...`.

A run never talks to W&B: it writes metrics.jsonl and result.json as always, and this process
sends what it finds there. A dead server is its problem alone. Nobody waits for it: it ends itself
soon after the run does, however the run ends, and so does everything that it started.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from scaling_study.config.tracking import Tracking, tag_of
from scaling_study.tracking import wandb_client
from scaling_study.tracking.payload import config_of, mirror_of, rows_of
from scaling_study.tracking.uploader_handle import GRACE_S
from scaling_study.tracking.wandb_client import Target, TrackingError, Upload

# How often the run's files are looked at, and an absent server is, s.
POLL_S = 2
RETRY_S = 60
# Behind the runs, but not starved by them.
NICENESS = 10


def main(run_dir: Path, tracking: Tracking) -> None:
    """Mirror the run in `run_dir` until the process that started this one closes our input."""
    os.nice(NICENESS)
    over = threading.Event()
    threading.Thread(
        target=_watch, args=(over, os.getppid(), tracking.finish_timeout_s), daemon=True
    ).start()
    wandb_client.quiet_environment()
    with suppress(OSError):  # W&B takes one writer: that of the attempt before goes first
        fcntl.flock(sys.stdout, fcntl.LOCK_EX)
    while True:
        try:
            if tracking.name == "online" and not wandb_client.reachable():
                raise TrackingError("it does not answer")
            return _follow(run_dir, tracking, over)
        except TrackingError as error:
            print(f"W&B: {error}; `python -m scaling_study.sync` sends it later", flush=True)
        if over.wait(RETRY_S):
            return


def _follow(run_dir: Path, tracking: Tracking, over: threading.Event) -> None:
    offline = tracking.name == "offline"
    studies = (tag_of(tracking.study),) if tracking.study else ()
    target = Target(tracking.project, tracking.entity, tracking.study, (*studies, *tracking.tags))
    limit = tracking.finish_timeout_s
    upload = Upload.open(run_dir.name, config_of(run_dir), target, run_dir, limit, offline)
    while not over.wait(POLL_S):
        upload.send(rows_of(run_dir))
    upload.finish(mirror_of(run_dir))
    if not offline:
        shutil.rmtree(run_dir / "wandb", ignore_errors=True)


def _watch(over: threading.Event, parent: int, finish_timeout_s: float) -> None:
    """Note the end of the run; end this process if it does not finish in time."""
    while not over.is_set():
        readable, _, _ = select.select([sys.stdin], [], [], 1)
        if readable or os.getppid() != parent:
            over.set()
    limit_s = finish_timeout_s + GRACE_S
    timer = threading.Timer(limit_s, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    values = json.loads(sys.argv[2])
    main(Path(sys.argv[1]), Tracking(**values | {"tags": tuple(values["tags"])}))
