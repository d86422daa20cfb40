"""What a run reports while it trains: records, to every sink that is there."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from scaling_study.common.files import no_link, replace_file
from scaling_study.common.reading import parsed_json


class Sink(Protocol):
    """A place that records go to; it must not raise, and not wait for a network."""

    def write(self, **values: float) -> None:
        """Take one record: `step` (of the run) and other numbers."""


class MetricsFile:
    """metrics.jsonl: one record a line. Lines after the step that a run resumes at are dropped."""

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            replace_file(path, "".join(line for line in lines if _at_most(line, first_step)))

    def write(self, **values: float) -> None:
        with open(self._path, "a", encoding="utf-8", opener=no_link) as file:
            file.write(json.dumps(values) + "\n")


class Metrics:
    """Passes records on to all sinks; one is due every `every_s` seconds within an epoch.

    `fence` raises before one is written that another process would have to write now.
    """

    def __init__(
        self, sinks: Sequence[Sink], every_s: float, fence: Callable[[], None] = lambda: None
    ) -> None:
        self._sinks, self._every_s, self._fence = sinks, every_s, fence
        self._written = time.monotonic()

    def due(self) -> bool:
        """Whether the last record is old enough for one within the epoch."""
        return time.monotonic() - self._written >= self._every_s

    def write(self, **values: float) -> None:
        self._written = time.monotonic()
        self._fence()
        for sink in self._sinks:
            sink.write(**values)


def _at_most(line: str, step: int) -> bool:
    try:
        record = parsed_json(line)
        # The line of the final scores, which has no loss, is written anew.
        return bool(record["step"] <= step) and "loss" in record
    except (ValueError, KeyError, TypeError):
        return False  # the torn last line of a killed process
