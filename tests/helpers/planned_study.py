"""Studies as a sweep leaves them, planned from a grid, with errors that a formula gives."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helpers.study import HERE, write_run
from helpers.tiny import TINY
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.planning.plan import Planned, plan
from scaling_study.study.result import Result
from scaling_study.study.store import Store
from scaling_study.sweep.prepare import make_ready


def planned(
    execution: ExecutionConfig, grid: dict[str, Any], **groups: Mapping[str, Any]
) -> tuple[Path, list[Planned]]:
    """The folder of a study, made as a sweep makes it, and its rows.

    `groups` replace whole groups of the tiny run's settings, or add to them: a model that names
    its family replaces the model.
    """
    settings = dict(TINY)
    for name, values in groups.items():
        settings[name] = {**({} if "family" in values else settings[name]), **values}
    store, times = Store(Path(execution.results_dir)), Times([], 1)
    cells, _ = cells_of(grid, settings, times)
    rows = plan([*ancestors(cells), *cells], store, store.read(), times)
    folder = store.root.parent / grid["name"]
    make_ready(store, folder, execution, grid, rows)
    _frozen_before(folder)
    return folder, rows


def _frozen_before(folder: Path, seconds: float = 1e6) -> None:
    """Date the freeze back: made-up runs end at once and say that they took their time."""
    path = folder / "freeze.json"
    frozen = json.loads(path.read_text(encoding="utf-8"))
    for entry in frozen["plans"]:
        entry["at"] -= seconds
    path.write_text(json.dumps(frozen), encoding="utf-8")


def finish(folder: Path, run: RunConfig, error: float) -> None:
    """A result of a run of the study in `folder`, beside its config."""
    known = describe(run)
    found = {"val_error": error, "train_error": error / 2, "step_time_s": 1e-9 * known["flops"]}
    memory = 10**8 + 100 * known["activations"]
    more = {"wall_s": 1 + 1e-9 * known["train_flops"], "peak_memory_bytes": memory}
    result = Result(**known, status="ok", **found, **more, **HERE)
    write_run(folder.parent / "runs", result, run)


def finished(
    execution: ExecutionConfig,
    grid: dict[str, Any],
    error: Callable[[RunConfig], float],
    **groups: Mapping[str, Any],
) -> Path:
    """The folder of a study all of whose runs have `error`."""
    folder, rows = planned(execution, grid, **groups)
    for row in rows:
        finish(folder, row.run, error(row.run))
    return folder
