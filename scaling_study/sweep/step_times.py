"""What a sweep on this machine does last: measure the step time of each of its networks, alone."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_study.common.command_line import spelled
from scaling_study.common.device import device_name
from scaling_study.common.errors import InputError
from scaling_study.common.format import duration, fitted
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch.local.measuring import Shape, measured_into, shapes_of
from scaling_study.launch.slots import slots_for
from scaling_study.planning.plan import Planned
from scaling_study.study.active_sweep import recorded
from scaling_study.study.measured import (
    CONFIG_IDS,
    DEVICE,
    ENOUGH,
    FILE,
    SHAPE,
    THREADS,
    config_ids_of,
    keep_measured,
    measurements_of,
    read_measured,
)
from scaling_study.study.result import FINISHED, Result
from scaling_study.sweep.options import MeasureOptions


def measure(
    rows: Sequence[Planned],
    results: Mapping[str, Result | None],
    study_dir: Path,
    execution: ExecutionConfig,
    options: MeasureOptions,
) -> None:
    """Measure what measured.csv lacks, where all runs of the plan have finished on this machine.

    The analysis takes these step times only if it has one of every network. KeyboardInterrupt
    leaves those that were measured often enough. Programs of the user's own say themselves how long
    their steps took.
    """
    if any(row.run.program is not None for row in rows):
        return
    finished = [results.get(row.run.run_id) for row in rows if row.state in FINISHED]
    if not options.at_end or len(finished) < len(rows):
        return
    other = [
        one
        for one in finished
        if one is not None
        and not (_here(one.device, one.threads, execution) and (one.world_size or 1) == 1)
    ]
    if other:
        here, one = device_name(rows[0].run.device), other[0]
        print(
            f"step times are not measured: {len(other)} runs were trained on {one.device} "
            f"({one.threads} threads, {one.world_size or 1} processes), and this is one process "
            f"on {here} ({execution.threads} threads)"
        )
        return
    runs = [row.run for row in rows]
    if missing := _unmeasured(runs, study_dir, execution, options.rounds):
        _measure(missing, study_dir, execution, options)


def _here(device: str | None, threads: object, execution: ExecutionConfig) -> bool:
    """Whether times of this device, and of so many threads, are those of this sweep's runs."""
    name = device_name(str(device).partition(":")[0])
    return device == name and str(threads) == str(execution.threads)


def _unmeasured(
    runs: Sequence[RunConfig], study_dir: Path, execution: ExecutionConfig, rounds: int
) -> list[Shape]:
    """The shapes that measured.csv lacks; those that it has get the cells that they lack."""
    try:
        rows = read_measured(study_dir)
    except InputError:  # written anew
        rows = []
    known = {
        row.get(SHAPE): row
        for row in rows
        if config_ids_of(row)
        and _here(row.get(DEVICE), row.get(THREADS), execution)
        and measurements_of(row) >= min(ENOUGH, rounds)
    }
    listed = {config_id for row in known.values() for config_id in config_ids_of(row)}
    shapes = shapes_of(run for run in runs if run.config_id not in listed)
    if found := [shape for shape in shapes if shape.key in known]:
        more = [(known[shape.key], " ".join(shape.config_ids)) for shape in found]
        keep_measured(
            [{**row, CONFIG_IDS: f"{row[CONFIG_IDS]} {ids}"} for row, ids in more], study_dir
        )
    return [shape for shape in shapes if shape.key not in known]


def _measure(
    shapes: Sequence[Shape], study_dir: Path, execution: ExecutionConfig, options: MeasureOptions
) -> None:
    """Measure these shapes in turn, and say how that went."""
    text = (
        f"measuring the step times of {len(shapes)} networks with the machine to themselves, "
        f"{options.rounds} times each, for at most {duration(options.most_s)}"
    )
    print(fitted(text, indent=2), flush=True)
    began, counts, failed = time.monotonic(), Counter[str](), 0
    (slot, *_) = slots_for([shape.run.device for shape in shapes], 1, execution.threads)
    with recorded(study_dir, 1):
        turns = measured_into(study_dir, shapes, options.rounds, execution, slot, options.most_s)
        for shape, found in turns:
            if isinstance(found, str):
                print(f"{shape.config_ids[0]} could not be measured: {found}", flush=True)
                failed += 1
            else:
                counts[shape.key] += 1
    enough = sum(n >= min(ENOUGH, options.rounds) for n in counts.values())
    took = duration(time.monotonic() - began)
    print(f"{study_dir / FILE}: {enough} of {len(shapes)} networks measured in {took}")
    if left := len(shapes) - enough - failed:
        text = (
            f"{left} networks were left out (measure.most_s={options.most_s:g} "
            "seconds): the analysis takes the step times of the runs until all are measured, by "
            f"this command again or by {spelled('measure', 'scaling_study.measure')}"
        )
        print(fitted(text, indent=2))
