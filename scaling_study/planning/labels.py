"""Labels that the runs of a plan need of their teachers: what making them costs, once for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # `status` asks for an end and plans nothing
    from scaling_study.config.run import RunConfig
    from scaling_study.cost.time_model import Estimate


@dataclass(frozen=True)
class Labelling:
    """A teacher's forward passes over a pool: `flops`, `time` (s) and `gpu_hours`.

    `key` names teacher and pool: runs that share it share the labels. `done`: they are there.
    None is what cannot be counted, or was not measured.
    """

    key: tuple[str, str]
    flops: int | None
    time: Estimate | None
    gpu_hours: Estimate | None
    done: bool


class Row(Protocol):
    """A run of a plan, and the labels that it needs."""

    @property
    def run(self) -> RunConfig: ...

    @property
    def labelling(self) -> Labelling | None: ...


def labelled_by(rows: Iterable[Row]) -> Mapping[str, Labelling]:
    """By run id, the labels that each of `rows`, in this order, is the first to need."""
    keys, found = set[tuple[str, str]](), {}
    for row in rows:
        if row.labelling is not None and row.labelling.key not in keys:
            keys.add(row.labelling.key)
            found[row.run.run_id] = row.labelling
    return found


def to_label(rows: Iterable[Row]) -> list[Labelling]:
    """What of the labels that `rows` need is not there, each once."""
    return [one for one in labelled_by(rows).values() if not one.done]
