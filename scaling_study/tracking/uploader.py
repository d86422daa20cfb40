"""The process that uploads one run's files: `-m scaling_study.tracking.uploader RUN ...`.

A run never talks to W&B: it writes metrics.jsonl and result.json as always, and this process
sends what it finds there. A dead server cannot disturb the run. Nobody waits for the uploader: it
ends soon after the run does, however the run ends, and so does everything that it started.
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
from scaling_study.tracking.payload import config_of, payload_of, rows_of
from scaling_study.tracking.uploader_handle import GRACE_S
from scaling_study.tracking.wandb_client import Target, TrackingError, Upload

# Between two looks at the run's files, and between two attempts to reach the server, s.
POLL_S = 2
RETRY_S = 60
# Runs come first on a busy machine; at 19 the uploader might not get any time.
NICENESS = 10


def main(run_dir: Path, tracking: Tracking) -> None:
    """Upload the run in `run_dir` until the process that started this one closes our input."""
    os.nice(NICENESS)
    ended = threading.Event()
    watched = (ended, os.getppid(), tracking.finish_timeout_s)
    threading.Thread(target=_watch, args=watched, daemon=True).start()
    wandb_client.quiet_environment()
    with suppress(OSError):  # W&B takes one writer: wait for the uploader of an earlier attempt
        fcntl.flock(sys.stdout, fcntl.LOCK_EX)
    while True:
        try:
            if tracking.name == "online" and not wandb_client.reachable():
                raise TrackingError("it does not answer")
            return _upload(run_dir, tracking, ended)
        except TrackingError as error:
            print(f"W&B: {error}; `python -m scaling_study.sync` sends it later", flush=True)
        if ended.wait(RETRY_S):
            return


def _upload(run_dir: Path, tracking: Tracking, ended: threading.Event) -> None:
    offline = tracking.name == "offline"
    studies = (tag_of(tracking.study),) if tracking.study else ()
    target = Target(tracking.project, tracking.entity, tracking.study, (*studies, *tracking.tags))
    limit = tracking.finish_timeout_s
    upload = Upload.open(run_dir.name, config_of(run_dir), target, run_dir, limit, offline)
    while not ended.wait(POLL_S):
        upload.send(rows_of(run_dir))
    upload.finish(payload_of(run_dir))
    if not offline:
        shutil.rmtree(run_dir / "wandb", ignore_errors=True)


def _watch(ended: threading.Event, parent: int, finish_timeout_s: float) -> None:
    """Set `ended` when the run ends; kill this process if it does not finish in time after that."""
    while not ended.is_set():
        readable, _, _ = select.select([sys.stdin], [], [], 1)
        if readable or os.getppid() != parent:
            ended.set()
    timer = threading.Timer(finish_timeout_s + GRACE_S, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    values = json.loads(sys.argv[2])
    main(Path(sys.argv[1]), Tracking(**values | {"tags": tuple(values["tags"])}))
