"""python -m scaling_study.measure +grid=NAME: speed and memory of each cell, alone and repeatedly.

A sweep measures step times while other runs share the machine. Here every network, resolution and
batch of the grid has it alone, in a process of its own; seeds and lengths do not matter. All cells
are measured once, then all again, each time from another one on: what drifts in time, or warms up,
does not favour any of them, and how much measurements differ is known.
"""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

from scaling_study.common.device import device_name
from scaling_study.common.files import replace_file
from scaling_study.common.validation import one_value, require
from scaling_study.config import hydra_app
from scaling_study.config.execution import ExecutionConfig, execution_config_of
from scaling_study.config.keys import check_group, check_keys
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import Timing, shape_of
from scaling_study.cost.timings import keep_probes
from scaling_study.launch import probe
from scaling_study.launch.local.fork_server import THREAD_LIMITS
from scaling_study.launch.registry import options_of
from scaling_study.launch.slots import slots_for
from scaling_study.planning.draft import planned_runs
from scaling_study.study.store import check_writable

ROUNDS = "measure.rounds"
# What distinguishes cells here; the rest of a run does not change its speed.
CELL = (
    *("family", "depth", "width", "resolution", "batch_size", "precision"),
    *("params", "flops", "activations"),
)


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Measure each cell of the grid in turn, into measured.csv."""
    # Not at the top, because it would count as memory of the measured process.
    import pandas as pd

    check_keys(settings, ("grid", "measure"))
    rounds: int = one_value(int, check_group(settings, "measure", ("rounds",))["rounds"], ROUNDS)
    require(rounds >= 1, ROUNDS, rounds, "must be 1 or more")
    threads, execution = options_of(settings).threads, execution_config_of(settings)
    grid, runs = planned_runs(settings, overrides)
    cells = {replace(probe.shortened(run), seed=0).run_id: run for run in reversed(runs)}
    (slot, *_) = slots_for([run.device for run in runs], 1, threads)
    study_dir = Path(execution.results_dir) / grid["name"]
    check_writable(study_dir, "results_dir", execution.results_dir)
    check_writable(Path(execution.cache_dir), "cache_dir", execution.cache_dir)
    os.environ.update(dict.fromkeys(THREAD_LIMITS, str(threads)) | dict(slot.environment))
    found: dict[str, list[dict[str, Any]]] = {run_id: [] for run_id in reversed(cells)}
    turns = _turns(list(found), rounds)
    for at, key in enumerate(turns, 1):
        row, message = _measured(cells[key], execution)
        print(f"[{at}/{len(turns)}] {cells[key].config_id}: {message}", flush=True)
        if row is not None:
            found[key].append(row)
            rows = [combined(measured) for measured in found.values() if measured]
            # Mixed columns would change whole numbers to floats.
            table = pd.DataFrame(rows, dtype=object)
            replace_file(study_dir / "measured.csv", table.to_csv(index=False))
    complete = sum(len(measured) == rounds for measured in found.values())
    print(
        f"{study_dir / 'measured.csv'}: {complete} of {len(found)} cells measured {rounds} times; "
        "forecasts know them from now on"
    )
    return 0 if complete == len(found) else 1


def _turns(keys: Sequence[str], rounds: int) -> list[str]:
    """Every cell once a round, each round from another one on."""
    starts = [number * len(keys) // rounds for number in range(rounds)]
    return [key for start in starts for key in (*keys[start:], *keys[:start])]


def combined(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of the measurements of a cell: means of times, and by how much these differ.

    Times and rates are geometric means, `peak_memory_bytes` is the largest; `step_time_log_sd` is
    the SD of ln(step time) between measurements, 0 for one.
    """
    row = dict(measured[0])
    for name in ("step_time_s", "images_per_s", "inference_time_s", "inference_images_per_s"):
        row[name] = statistics.geometric_mean(m[name] for m in measured)
    row["peak_memory_bytes"] = max(m["peak_memory_bytes"] for m in measured)
    logs = [math.log(m["step_time_s"]) for m in measured]
    return row | {
        "measurements": len(measured),
        "step_time_log_sd": statistics.stdev(logs) if len(logs) > 1 else 0.0,
    }


def _measured(run: RunConfig, execution: ExecutionConfig) -> tuple[dict[str, Any] | None, str]:
    """Columns of one cell, and a message; no columns if it cannot be trained."""
    from scaling_study.training.benchmark import measure

    load = os.getloadavg()[0]  # of the last minute: above 0 others were there
    # A fresh process: what one cell has allocated would count as the memory of the next.
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        future = alone.submit(measure, probe.shortened(run), execution)
        if (error := future.exception()) is not None:
            return None, f"failed: {error!r}"
    found, columns = future.result(), describe(run)
    conditions = Times([], execution.threads).conditions(run)
    timing = Timing(conditions, shape_of(columns), found["step_time_s"])
    keep_probes(Path(execution.cache_dir), [timing])
    known = {"device": device_name(run.device), "threads": execution.threads}
    row = {name: columns[name] for name in CELL} | known | found | {"load": load}
    return row, (
        f"step {found['step_time_s']:.4g} s, forward {found['inference_time_s']:.4g} s, "
        f"{found['peak_memory_bytes'] / 1e6:.0f} MB"
    )


def command() -> NoReturn:
    """The command line."""
    hydra_app.run(main, "measure")


if __name__ == "__main__":
    command()
