"""`launcher.gpus_per_run=auto`: the smallest number of GPUs on which each run fits.

A run fits where a step's memory does, by the closed form, and where it ends within the hours that
were wished for, by the forecast for that number of processes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import one_value, require
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_times import HOUR, Times
from scaling_study.cost.step_memory import LARGE_DEVICE_BYTES, USABLE, memory_bytes
from scaling_study.planning.batch_norm_groups import check_batch_norm
from scaling_study.planning.plan import Planned, plan
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store

GPUS, AUTO = "launcher.gpus_per_run", "auto"
# More devices than this train no run.
MOST_DEVICES = 512


@dataclass(frozen=True)
class Wish:
    """What a device holds, in bytes, and how many hours a run may take; None for any.

    `augment_on` says where its images are augmented.
    """

    device_bytes: float
    target_hours: float | None
    augment_on: str = "cpu"


def wish_of(launcher: Mapping[str, Any], times: Times, augment_on: str = "cpu") -> Wish | None:
    """The wish in a launcher's settings; None unless they say `gpus_per_run: auto`.

    A device has `gpu_memory_gb`, by default what the data sheet of `plan.device` says, or 80 GB.
    """
    if launcher.get("gpus_per_run") != AUTO:
        return None
    given = one_value(float | None, launcher.get("gpu_memory_gb"), "launcher.gpu_memory_gb")
    sheet = times.data_sheet.memory_bytes if times.data_sheet else LARGE_DEVICE_BYTES
    hours = one_value(float | None, launcher.get("target_hours"), "launcher.target_hours")
    for key, value in (("gpu_memory_gb", given), ("target_hours", hours)):
        require(value is None or value > 0, f"launcher.{key}", value, "must be above 0")
    return Wish(sheet if given is None else 1e9 * given, hours, augment_on)


def allotted(
    rows: Sequence[Planned],
    wish: Wish,
    times: Times,
    store: Store,
    results: Mapping[str, Result | None],
) -> tuple[list[Planned], list[str]]:
    """The plan with a number of processes for each run on a GPU, and lines about it.

    InputError for a run of several processes whose batch norm would see another number of images
    on each number of devices.
    """
    counts, lines = dict[str, int](), list[str]()
    done = {
        row.run.run_id: result.world_size or 1
        for row in rows
        if row.state in FINISHED and (result := results.get(row.run.run_id)) is not None
    }
    for row in rows:
        if row.run.device != "cuda" or row.run.program is not None:
            counts[row.run.run_id] = 1
        elif row.run.run_id not in done:
            counts[row.run.run_id], line = _smallest(row, wish, times)
            lines += [line] if line else []
    counts = _as_their_trunks(rows, counts | done, done)
    again = list[Planned]()
    for row in rows:
        processes = counts[row.run.run_id]
        if row.run.run_id not in done:
            check_batch_norm(row.run, processes, GPUS, AUTO, row.stage)
        known = times.of_processes(processes)
        (found,) = plan([row.cell], store, results, known, wish.augment_on)
        again.append(replace(found, state=row.state))
    if len(used := sorted({*counts.values()})) > 1:
        lines.append(
            f"runs take {', '.join(map(str, used))} GPUs: the analysis compares them by "
            "device-seconds, the step time times the GPUs of a run"
        )
    return again, list(dict.fromkeys(lines))


def _as_their_trunks(
    rows: Sequence[Planned], counts: Mapping[str, int], done: Collection[str]
) -> dict[str, int]:
    """The numbers of devices where runs that go on from others take as many as those: the most that
    one of them needs, or what a run that is `done` has taken.
    """
    found = dict(counts)
    by_length = sorted(rows, key=lambda row: row.run.train.epochs)
    on_trunks = [(row.run.run_id, row.run.trunk.run) for row in by_length if row.run.trunk]
    for run_id, trunk in reversed(on_trunks):
        if run_id not in done and trunk not in done:
            found[trunk] = max(found[trunk], found[run_id])
    for run_id, trunk in on_trunks:
        if run_id not in done:
            found[run_id] = found[trunk]
    return found


def _smallest(row: Planned, wish: Wish, times: Times) -> tuple[int, str]:
    """The number of devices for a run, and what it lacks there."""
    room, where = USABLE * wish.device_bytes, wish.augment_on
    if row.cost.memory_bytes is None:
        return 1, f"{row.run.model.family}: one device a run, because its memory is blank"
    holding = [n for n in _counts(row.run) if _holds(row.run, n, room, where)]
    if not holding:
        return max(_counts(row.run), default=1), _what_would_fit(row.run, room, where)
    if wish.target_hours is None:
        return holding[0], ""
    hours = {}
    for n in holding:
        time = times.of_processes(n).whole(row.run, row.columns)
        if time is None:
            how = "plan.device=a100 forecasts it from a data sheet"
            return holding[0], (
                f"launcher.target_hours={wish.target_hours:g} counts for no run whose time on {n} "
                f"devices is unknown; {how}"
            )
        hours[n] = time.value / HOUR
        if hours[n] <= wish.target_hours:
            return n, ""
    best = min(hours, key=hours.__getitem__)
    return best, (
        f"{row.run.run_id}: {hours[best]:.3g} h on {best} devices, the fewest that any number "
        f"takes, more than launcher.target_hours={wish.target_hours:g}"
    )


def _holds(run: RunConfig, processes: int, room: float, augment_on: str) -> bool:
    """Whether a step fits where so many devices share it."""
    memory = memory_bytes(run, processes, augment_on)
    return memory is not None and memory <= room


def _counts(run: RunConfig) -> list[int]:
    """Numbers of devices that can share the run's batch evenly: 1, 2, 4, …"""
    return [n for n in _powers() if _shares(run, n)]


def _powers() -> Iterator[int]:
    n = 1
    while n <= MOST_DEVICES:
        yield n
        n *= 2


def _shares(run: RunConfig, processes: int) -> bool:
    try:
        return run.train.share(processes) > 0
    except InputError:
        return False


def _what_would_fit(run: RunConfig, room: float, augment_on: str) -> str:
    """How many forward passes a step would fit in, and what that changes."""
    text, batch = f"{run.run_id}: its step fits on no number of devices", run.train.batch_size
    # A pass holds whole groups of batch norm.
    group = max(2, run.train.ghost_batch)
    for n in _powers():
        passes = run.train.accumulation * n
        if batch % passes or batch // passes < group:
            break
        if run.train.ghost_batch and batch // passes % group:
            break
        other = replace(run, train=replace(run.train, accumulation=passes))
        if fitting := [k for k in _counts(other) if _holds(other, k, room, augment_on)]:
            seen = run.train.ghost_batch or batch // passes
            return (
                f"{text}; train.accumulation={passes} would fit on {fitting[0]}: another run, "
                f"whose batch norm sees {seen} images at a time"
            )
    return f"{text}, nor with any train.accumulation"


def check_given(rows: Sequence[Planned], value: object) -> None:
    """Raise an InputError for runs that cannot have the number of processes that a person has set,
    by `value` of launcher.gpus_per_run: their batch cannot be shared so, or not batch norm's."""
    for row in rows:
        if row.processes > 1 and row.run.program is None:
            row.run.train.share(row.processes)
            check_batch_norm(row.run, row.processes, GPUS, value, row.stage)
