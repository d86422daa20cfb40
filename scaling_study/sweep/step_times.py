"""What a sweep on this machine does last: measure the step time of each of its networks, alone."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_study.common.device import device_name
from scaling_study.common.errors import InputError
from scaling_study.common.format import duration
from scaling_study.config.execution import ExecutionConfig
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
    keep_measured,
    key_of,
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
    leaves those that were measured often enough.
    """
    finished = [results.get(row.run.run_id) for row in rows if row.state in FINISHED]
    if not options.at_end or len(finished) < len(rows):
        return
    elsewhere = [one for one in finished if one is not None and not _here(one, execution)]
    if elsewhere:
        print(
            f"step times are not measured: {len(elsewhere)} runs were trained on "
            f"{elsewhere[0].device} with {elsewhere[0].threads} threads, this is "
            f"{device_name(rows[0].run.device)} with {execution.threads}"
        )
        return
    missing = _unmeasured(shapes_of(row.run for row in rows), study_dir, execution, options.rounds)
    if missing:
        _measure(missing, study_dir, execution, options)


def _here(result: Result, execution: ExecutionConfig) -> bool:
    """Whether a run was trained as this machine measures: one process on the same device."""
    kind = str(result.device).partition(":")[0]
    same = result.device == device_name(kind) and result.threads == execution.threads
    return same and (result.world_size or 1) == 1


def _unmeasured(
    shapes: Sequence[Shape], study_dir: Path, execution: ExecutionConfig, rounds: int
) -> list[Shape]:
    """Those that measured.csv does not have; those that it has get the cells that they lack."""
    try:
        known = {key_of(row): row for row in read_measured(study_dir)}
    except InputError:  # written anew
        known = {}
    missing, found = list[Shape](), list[dict[str, str]]()
    for shape in shapes:
        here = {DEVICE: device_name(shape.run.device), THREADS: execution.threads}
        row = known.get(key_of({SHAPE: shape.key, **here}), {})
        if measurements_of(row) < min(ENOUGH, rounds):
            missing.append(shape)
        elif row[CONFIG_IDS] != (cells := " ".join(shape.config_ids)):
            found.append({**row, CONFIG_IDS: cells})
    if found:
        keep_measured(found, study_dir)
    return missing


def _measure(
    shapes: Sequence[Shape], study_dir: Path, execution: ExecutionConfig, options: MeasureOptions
) -> None:
    """Measure these shapes in turn, and say how that went."""
    print(
        f"measuring the step times of {len(shapes)} networks with the machine to themselves, "
        f"{options.rounds} times each, for at most {duration(options.most_s)}",
        flush=True,
    )
    began, counts = time.monotonic(), dict.fromkeys((shape.key for shape in shapes), 0)
    (slot, *_) = slots_for([shape.run.device for shape in shapes], 1, execution.threads)
    with recorded(study_dir, 1):
        turns = measured_into(study_dir, shapes, options.rounds, execution, slot, options.most_s)
        for shape, found in turns:
            if isinstance(found, str):
                print(f"{shape.config_ids[0]} could not be measured: {found}", flush=True)
            else:
                counts[shape.key] += 1
    enough = sum(n >= min(ENOUGH, options.rounds) for n in counts.values())
    took = duration(time.monotonic() - began)
    print(f"{study_dir / FILE}: {enough} of {len(shapes)} networks measured in {took}")
    if enough < len(shapes):
        print(
            f"{len(shapes) - enough} networks were left out (measure.most_s={options.most_s:g} "
            "seconds): the analysis takes the step times of the runs until all are measured, by "
            "this command again or by python -m scaling_study.measure"
        )
