"""Step times with the machine to themselves: one network after another, in turn, repeatedly.

Runs of a sweep share the machine, and slow each other down. Here every network has it alone, in a
process that is forked as those of runs are. All are measured once, then all again, each time from
another one on: what drifts in time, or warms up, favours none of them, and how much measurements
differ is known.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scaling_study.common.device import device_name
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.launch.local.measurement import Row, measured_alone
from scaling_study.launch.probe import shortened
from scaling_study.launch.slots import Slot
from scaling_study.study.measured import (
    CONFIG_IDS,
    DEVICE,
    ENOUGH,
    FORWARD_TIME,
    LOG_SD,
    MEASUREMENTS,
    SHAPE,
    STEP_TIME,
    THREADS,
    keep_measured,
)

# Columns that say which network was measured; the rest of a run does not change its speed.
NETWORK = (
    *("family", "depth", "width", "resolution", "batch_size", "precision"),
    *("params", "flops", "activations"),
)
TIMES = (STEP_TIME, "images_per_s", FORWARD_TIME, "inference_images_per_s")


@dataclass(frozen=True)
class Shape:
    """What is measured once: `run` is one of the runs that train it, `config_ids` are their cells.

    `key` is the id of the short run that measures it: seeds and lengths of training share it.
    """

    key: str
    run: RunConfig
    config_ids: tuple[str, ...]


# Measures a shape: a row, or why there is none.
Measure = Callable[[Shape], Row | str]


def shapes_of(runs: Iterable[RunConfig]) -> list[Shape]:
    """The different shapes of these runs, in their order."""
    cells: dict[str, RunConfig] = {}
    for run in runs:
        cells.setdefault(run.config_id, run)
    alike: dict[str, list[RunConfig]] = {}
    for run in cells.values():
        alike.setdefault(replace(shortened(run), seed=0).run_id, []).append(run)
    return [
        Shape(key, some[0], tuple(run.config_id for run in some)) for key, some in alike.items()
    ]


def in_turn(
    shapes: Sequence[Shape],
    rounds: int,
    measure: Measure,
    most_s: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Shape, Row | str]]:
    """Each shape with what `measure` finds, once a round, each round from another shape on.

    What the first round does not reach within its share of `most_s` is left out, so that the rest
    has all its rounds; after `most_s` nothing begins. A shape that fails is not tried again.
    """
    began, left = clock(), list(shapes)
    for number in range(rounds):
        start = number * len(left) // rounds
        measured = list[Shape]()
        for shape in (*left[start:], *left[:start]):
            if clock() - began >= (most_s if number else most_s / rounds):
                break
            found = measure(shape)
            yield shape, found
            if not isinstance(found, str):
                measured.append(shape)
        left = [shape for shape in left if shape in measured]


def measured_into(
    study_dir: Path,
    shapes: Sequence[Shape],
    rounds: int,
    execution: ExecutionConfig,
    slot: Slot,
    most_s: float = math.inf,
) -> Iterator[tuple[Shape, Row | str]]:
    """`in_turn`, in `slot` of this machine; what was measured often enough goes to measured.csv."""
    found: dict[str, list[Row]] = {shape.key: [] for shape in shapes}
    measure = partial(_row, execution=execution, slot=slot)
    for shape, row in in_turn(shapes, rounds, measure, most_s):
        if not isinstance(row, str):
            found[shape.key].append(row)
            if len(found[shape.key]) >= min(rounds, ENOUGH):
                keep_measured([combined(found[shape.key])], study_dir)
        yield shape, row


def _row(shape: Shape, execution: ExecutionConfig, slot: Slot) -> Row | str:
    """One measurement; `load` is that of the machine in the minute before."""
    load, columns = os.getloadavg()[0], describe(shape.run)
    found = measured_alone(shortened(shape.run), execution, slot)
    if isinstance(found, str):
        return found
    return {
        **{name: columns[name] for name in NETWORK},
        DEVICE: device_name(shape.run.device),
        THREADS: execution.threads,
        **found,
        "load": load,
        SHAPE: shape.key,
        CONFIG_IDS: " ".join(shape.config_ids),
    }


def combined(measured: Sequence[Mapping[str, Any]]) -> Row:
    """One row of the measurements of a shape: means of times, and by how much these differ.

    Times and rates are geometric means, `peak_memory_bytes` is the largest; `step_time_log_sd` and
    `inference_time_log_sd` are SDs of ln(time) between measurements, 0 for one.
    """
    row = dict(measured[0])
    for name in TIMES:
        row[name] = statistics.geometric_mean(m[name] for m in measured)
    row["peak_memory_bytes"] = max(m["peak_memory_bytes"] for m in measured)
    for name, column in LOG_SD.items():
        logs = [math.log(m[name]) for m in measured]
        row[column] = statistics.stdev(logs) if len(logs) > 1 else 0.0
    return row | {MEASUREMENTS: len(measured)}
