"""`tracking=tensorboard`: event files in RUN/tensorboard, for those who look without W&B."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_study.common.extras import require_package
from scaling_study.common.validation import is_number
from scaling_study.config.tracking import Tracking
from scaling_study.tracking.base import Tracker


class EventFiles:
    """A sink that writes every number as a scalar over the training step.

    The files are written anew by each attempt at a run, which gets all of its records.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        shutil.rmtree(folder, ignore_errors=True)
        self._writer, self._last = EventFileWriter(str(folder)), -1

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary

        step = int(row["step"])
        if number <= self._last:  # TensorBoard then hides what it has from this step on
            start = SessionLog(status=SessionLog.START)
            self._writer.add_event(Event(step=step, wall_time=time.time(), session_log=start))
        self._last = number
        numbers = {k: v for k, v in row.items() if k != "step" and is_number(v)}
        scalars = [Summary.Value(tag=k, simple_value=v) for k, v in numbers.items()]
        found = Summary(value=scalars)
        self._writer.add_event(Event(step=step, wall_time=time.time(), summary=found))
        self._writer.flush()

    def finish(self, summary: Mapping[str, Any]) -> None:
        self._writer.close()


def check(tracking: Tracking) -> None:
    """Raise an InputError if TensorBoard is not installed."""
    require_package("tensorboard", "tensorboard", "tracking=tensorboard")


TRACKER = Tracker(
    title="TensorBoard", open=lambda run: EventFiles(run.folder / "tensorboard"), check=check
)
