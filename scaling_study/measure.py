"""python -m scaling_study.measure +grid=NAME: speed and memory of each network, alone, repeatedly.

A sweep on this machine does that at its end. This command measures all networks of the grid anew,
however long it takes; forecasts know its times, too.
"""

from pathlib import Path
from typing import Any, NoReturn

from scaling_study.common.validation import one_value, require
from scaling_study.config import hydra_app
from scaling_study.config.execution import execution_config_of
from scaling_study.config.keys import check_group, check_keys
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import Timing, shape_of
from scaling_study.cost.timings import keep_probes
from scaling_study.launch.local.measuring import measured_into, shapes_of
from scaling_study.launch.registry import options_of
from scaling_study.launch.slots import slots_for
from scaling_study.planning.draft import planned_runs
from scaling_study.study.measured import FILE, STEP_TIME
from scaling_study.study.store import check_writable

ROUNDS = "measure.rounds"


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Measure each network of the grid in turn, into measured.csv."""
    check_keys(settings, ("grid", "measure"))
    rounds: int = one_value(int, check_group(settings, "measure", ("rounds",))["rounds"], ROUNDS)
    require(rounds >= 1, ROUNDS, rounds, "must be 1 or more")
    threads, execution = options_of(settings).threads, execution_config_of(settings)
    grid, runs = planned_runs(settings, overrides)
    shapes = shapes_of(runs)
    (slot, *_) = slots_for([run.device for run in runs], 1, threads)
    study_dir, cache_dir = Path(execution.results_dir) / grid["name"], Path(execution.cache_dir)
    check_writable(study_dir, "results_dir", execution.results_dir)
    check_writable(cache_dir, "cache_dir", execution.cache_dir)
    counts, times = dict.fromkeys((shape.key for shape in shapes), 0), Times([], threads)
    turns = measured_into(study_dir, shapes, rounds, execution, slot)
    for at, (shape, row) in enumerate(turns, 1):
        message = f"failed: {row}"
        if not isinstance(row, str):
            counts[shape.key] += 1
            keep_probes(cache_dir, [_timing(shape.run, row[STEP_TIME], times)])
            message = (
                f"step {row[STEP_TIME]:.4g} s, forward {row['inference_time_s']:.4g} s, "
                f"{row['peak_memory_bytes'] / 1e6:.0f} MB"
            )
        print(f"[{at}/{rounds * len(shapes)}] {shape.config_ids[0]}: {message}", flush=True)
    complete = sum(n == rounds for n in counts.values())
    print(
        f"{study_dir / FILE}: {complete} of {len(shapes)} networks measured {rounds} times; "
        "forecasts know them from now on"
    )
    return 0 if complete == len(shapes) else 1


def _timing(run: RunConfig, step_time_s: float, times: Times) -> Timing:
    return Timing(times.conditions(run), shape_of(describe(run)), step_time_s)


def command() -> NoReturn:
    """The command line."""
    hydra_app.run(main, "measure")


if __name__ == "__main__":
    command()
