"""What a study needs on disk before its first run starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.config.execution import ExecutionConfig
from scaling_study.data import data_info, prepare
from scaling_study.grid.sizes import study_sizes
from scaling_study.planning.plan import Planned
from scaling_study.planning.plan_table import write_csv
from scaling_study.study.result import FINISHED
from scaling_study.study.store import Store, check_writable
from scaling_study.study.table import read_plan


def make_ready(
    store: Store,
    study_dir: Path,
    execution: ExecutionConfig,
    grid: dict[str, Any],
    rows: list[Planned],
    allocation: Mapping[str, Any] | None = None,
    share: float | None = None,
) -> None:
    """Images, folders, frozen rules and plan; unreadable results are set aside.

    Frozen are the grid's cells, not what else they start from.
    `allocation` and `share` are frozen with the plan: see `analysis.rules.freeze.freeze_plan`.

    Raises an InputError if a folder cannot be written, or the data set is not there.
    """
    from analysis.rules import preregistration
    from analysis.rules.freeze import freeze_plan

    check_writable(Path(execution.cache_dir), "cache_dir", execution.cache_dir)
    check_writable(store.root, "results_dir", execution.results_dir, locks=True)
    check_writable(study_dir, "results_dir", execution.results_dir)
    ours = [row for row in rows if row.run.program is None]
    cells = [row for row in rows if not row.stage]
    for data in {row.run.data for row in ours if row.state not in FINISHED}:
        prepare(data, Path(execution.cache_dir))
    for row in rows:
        if row.state == "unreadable":
            bad = store.set_aside(row.run.run_id)
            print(f"unreadable result set aside, its run is done again: {bad}")
    # A study is what its last sweep planned; the runs of another one stay in the store.
    if others := _planned_before(study_dir) - {row.run.run_id for row in rows}:
        print(
            f"{study_dir} listed {len(others)} runs that are not in this plan: they stay in the "
            "store; to keep both studies, give one its own name with grid.name=NAME"
        )
    classes = {data_info(row.run.data).n_classes for row in ours if not row.stage}
    known: dict[str, Any] = {"n_classes": classes.pop()} if len(classes) == 1 else {}
    preregistration.freeze(study_dir, grid)
    runs = {row.run.run_id: row.run.config_id for row in cells}
    freeze_plan(study_dir, runs, allocation, share)
    text = yaml.safe_dump(grid | known, sort_keys=False)
    sizes = {"sizes": study_sizes([row.run for row in cells])}
    text += yaml.safe_dump(sizes, default_flow_style=None)
    replace_file(study_dir / "grid.yaml", text)
    write_csv(rows, grid, study_dir / "plan.csv")


def _planned_before(study_dir: Path) -> set[str]:
    """Runs in the study's plan; none, with a line about it, if there is one that cannot be read."""
    if not (study_dir / "plan.csv").exists():
        return set()
    try:
        return {row["run_id"] for row in read_plan(study_dir)}
    except InputError:
        print(f"{study_dir / 'plan.csv'} cannot be read and is written anew")
        return set()
