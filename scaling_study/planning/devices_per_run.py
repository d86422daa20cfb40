"""`launcher.gpus_per_run=auto`: the smallest number of GPUs on which each run fits.

A run fits where a step's memory does, by the closed form, and where it ends within the hours that
were wished for, by the forecast for that number of processes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import one_value, require
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import LARGE_DEVICE_BYTES, USABLE, memory_bytes
from scaling_study.cost.device_times import HOUR, Times
from scaling_study.planning.plan import Planned, plan
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store

# More devices than this train no run.
MOST_DEVICES = 512


@dataclass(frozen=True)
class Wish:
    """What a device holds, in bytes, and how many hours a run may take; None for any."""

    device_bytes: float
    target_hours: float | None


def wish_of(launcher: Mapping[str, Any], times: Times) -> Wish | None:
    """The wish in a launcher's settings; None unless they say `gpus_per_run: auto`.

    A device has `gpu_memory_gb`, by default what the data sheet of `plan.device` says, or 80 GB.
    """
    if launcher.get("gpus_per_run") != "auto":
        return None
    given = one_value(float | None, launcher.get("gpu_memory_gb"), "launcher.gpu_memory_gb")
    sheet = times.data_sheet.memory_bytes if times.data_sheet else LARGE_DEVICE_BYTES
    hours = one_value(float | None, launcher.get("target_hours"), "launcher.target_hours")
    for key, value in (("gpu_memory_gb", given), ("target_hours", hours)):
        require(value is None or value > 0, f"launcher.{key}", value, "must be above 0")
    return Wish(sheet if given is None else 1e9 * given, hours)


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
    found, lines = [], list[str]()
    for row in rows:
        result = results.get(row.run.run_id)
        if row.run.device != "cuda" or row.run.program is not None:
            processes = 1
        elif result is not None and row.state in FINISHED:
            processes = result.world_size or 1
        else:
            processes, line = _smallest(row, wish, times)
            lines += [line] if line else []
            _check_batch_norm(row.run, processes)
        (again,) = plan([row.cell], store, results, times.of_processes(processes))
        found.append(replace(again, state=row.state))
    if len(counts := sorted({row.processes for row in found})) > 1:
        lines.append(
            f"runs take {', '.join(map(str, counts))} GPUs: the analysis compares them by "
            "device-seconds, the step time times the GPUs of a run"
        )
    return found, list(dict.fromkeys(lines))


def _smallest(row: Planned, wish: Wish, times: Times) -> tuple[int, str]:
    """The number of devices for a run, and what it lacks there."""
    room = USABLE * wish.device_bytes
    if row.cost.memory_bytes is None:
        return 1, f"{row.run.model.family}: one device a run, because its memory is blank"
    holding = [n for n in _counts(row.run) if _holds(row.run, n, room)]
    if not holding:
        return max(_counts(row.run), default=1), _what_would_fit(row.run, room)
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


def _holds(run: RunConfig, processes: int, room: float) -> bool:
    """Whether a step fits where so many devices share it."""
    memory = memory_bytes(run, processes)
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


def _what_would_fit(run: RunConfig, room: float) -> str:
    """How many forward passes a step would fit in, and what that changes."""
    text = f"{run.run_id}: its step fits on no number of devices"
    for n in _powers():
        passes = run.train.accumulation * n
        if run.train.batch_size % passes or run.train.batch_size // passes < 2:
            break
        other = replace(run, train=replace(run.train, accumulation=passes))
        if fitting := [k for k in _counts(other) if _holds(other, k, room)]:
            return (
                f"{text}; train.accumulation={passes} would fit on {fitting[0]}: another run, "
                f"whose batch norm sees {run.train.batch_size // passes} images at a time"
            )
    return f"{text}, nor with any train.accumulation"


def _check_batch_norm(run: RunConfig, processes: int) -> None:
    seen = run.train.batch_size // run.train.accumulation
    require(
        processes == 1 or run.train.sync_batch_norm,
        "launcher.gpus_per_run",
        "auto",
        f"{run.run_id} takes {processes} devices, on each of which batch norm would see "
        f"{seen // processes} images, by the accident of that number; train.sync_batch_norm=true "
        f"lets it see {seen} on any",
    )
