"""Where a run's records go: one protocol for metrics.jsonl, TensorBoard, W&B and users' sinks."""

from collections.abc import Mapping
from typing import Any, Protocol


class Sink(Protocol):
    """Takes the records of one run, and at last what it has found."""

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        """Take one record: `step` of the run, `epoch`, and numbers by name.

        `number` counts records upwards: it is the step, or for a further record of a step the next
        number. One that is not above the last means that the run went on from an earlier
        checkpoint: what was written from this number on is void.
        """

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Take the columns of the run's result. Those of a run without one are few, or none."""


def next_number(step: int, last: int | None) -> int:
    """The number of a record of `step` that follows the record numbered `last`."""
    return step if last is None else max(step, last + 1)
