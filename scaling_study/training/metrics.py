"""What a run reports while it trains: records, to every sink that is there."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.common.files import no_link, replace_file
from scaling_study.common.reading import parsed_json
from scaling_study.common.sink import Sink, next_number


class MetricsFile:
    """The sink that writes metrics.jsonl, one record a line; trackers are given what it holds.

    Lines after the step that a run resumes at are dropped.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            replace_file(path, "".join(line for line in lines if _at_most(line, first_step)))

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8", opener=no_link) as file:
            file.write(json.dumps(row) + "\n")

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass  # whoever has the run's claim writes result.json


class Metrics:
    """Passes records on to all sinks; one is due every `every_s` seconds within an epoch.

    `fence` raises before one is written that another process would have to write now.
    """

    def __init__(
        self, sinks: Sequence[Sink], every_s: float, fence: Callable[[], None] = lambda: None
    ) -> None:
        self._sinks, self._every_s, self._fence = sinks, every_s, fence
        self._written = time.monotonic()
        self._last: int | None = None

    def due(self) -> bool:
        """Whether the last record is old enough for one within the epoch."""
        return time.monotonic() - self._written >= self._every_s

    def write(self, **values: float) -> None:
        self._written = time.monotonic()
        self._fence()
        self._last = next_number(int(values["step"]), self._last)
        for sink in self._sinks:
            sink.write(self._last, values)

    def finish(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Give the sinks what the run has found, and return it."""
        for sink in self._sinks:
            sink.finish(columns)
        return columns


def _at_most(line: str, step: int) -> bool:
    try:
        record = parsed_json(line)
        # The line of the final scores, which has no loss, is written anew.
        return bool(record["step"] <= step) and "loss" in record
    except (ValueError, KeyError, TypeError):
        return False  # the torn last line of a killed process
