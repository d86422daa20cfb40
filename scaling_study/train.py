"""python -m scaling_study.train model.depth=26: one run in this process, stored like any other.

Under torchrun or srun, in all of their processes together.
"""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

from scaling_study.common.command_line import INTERRUPTED
from scaling_study.common.errors import InputError
from scaling_study.common.ranks import leave_if_of_several, world_of
from scaling_study.config import hydra_app
from scaling_study.config.execution import execution_config_of, with_code
from scaling_study.config.keys import check_keys
from scaling_study.data import prepare
from scaling_study.grid.run_at_point import run_at
from scaling_study.launch import inline
from scaling_study.launch.job import Job, finish_uploads
from scaling_study.launch.outcome import ended
from scaling_study.launch.registry import launcher, options_of
from scaling_study.launch.slots import slots_for
from scaling_study.planning.batch_norm_groups import check_batch_norm
from scaling_study.planning.plan import check_accepted
from scaling_study.study.parents import BLOCKED
from scaling_study.study.result import FINISHED
from scaling_study.study.store import Store, check_writable
from scaling_study.tracking.announce import announced
from scaling_study.tracking.registry import check as check_tracking
from scaling_study.training import first_weights, teachers


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Train the run that `settings` describe unless the store has its result."""
    check_keys(settings)
    options, execution = options_of(settings), execution_config_of(settings)
    check_tracking(execution.tracking)
    if launcher(options.name) is not inline.LAUNCHER:
        raise InputError(
            f"launcher={options.name}: one run trains in this process; sweep uses launchers"
        )
    run = run_at(settings, {})
    slots_for([run.device], 1, execution.threads)
    store, world = Store(Path(execution.results_dir)), world_of(os.environ)
    run.train.share(world.size)
    check_writable(Path(execution.cache_dir), "cache_dir", execution.cache_dir)
    check_writable(store.root, "results_dir", execution.results_dir, locks=True)
    if store.state(run.run_id) in FINISHED:
        check_accepted([run], store, {run.run_id: store.result(run.run_id)})
    else:
        check_batch_norm(run, world.size, "WORLD_SIZE", world.size)
        first_weights.check(run, Path(execution.results_dir))
        teachers.check(run, Path(execution.results_dir))
        prepare(run.data, Path(execution.cache_dir))
    if world.rank == 0 and store.state(run.run_id) == "unreadable":
        print(f"unreadable result set aside: {store.set_aside(run.run_id)}")
    job = Job(run, with_code(execution))
    with announced(execution.tracking, run.run_id) if world.rank == 0 else nullcontext():
        (outcome,) = inline.launch([job], world=world)
    if world.rank == 0:
        print(ended(outcome), flush=True)
        finish_uploads([job])
    if outcome.status == "stopped":
        return INTERRUPTED
    return 1 if outcome.status in ("failed", BLOCKED) else 0


def command() -> NoReturn:
    """The command line."""
    try:
        hydra_app.run(main, "train")
    except SystemExit as ended:
        leave_if_of_several(ended.code if isinstance(ended.code, int) else 1)
        raise


if __name__ == "__main__":
    command()
