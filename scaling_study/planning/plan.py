"""The plan: every run of a grid with its cost and state, before anything is paid for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.config.evaluation import labelling_flops
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import file_of, pool_key
from scaling_study.cost.closed_form import RunCost, describe, run_cost
from scaling_study.cost.device_times import BOTH, HOUR, PRIOR_TIMES, Times
from scaling_study.cost.step_memory import memory_bytes
from scaling_study.cost.time_model import Estimate
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ExcludedPoint, cells_of
from scaling_study.grid.declared import declared_grid, with_full_names
from scaling_study.planning.labels import Labelling
from scaling_study.study.forecasts import RunForecast
from scaling_study.study.parents import with_parents
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store
from scaling_study.tasks import DEFAULT
from scaling_study.training import teachers

# Of a program: what only a run of it has.
OF_A_RUN = ("asks", "source")


@dataclass(frozen=True)
class Planned:
    """One run: its config, the result columns known beforehand, its costs, times (s) and state.

    `step`, `time` and `gpu_hours` (of all the GPUs that train it) are forecasts that rest on
    `basis` (see `Times.basis`), None if nothing is known; `actual_s` and `actual_gpu_hours` are
    what a finished run took. `processes` train it together. `state` is of the store, or `ready` or
    `blocked` where the run needs others (`study.parents`). `labelling` are the labels that it needs
    of its teacher, which it may share with other runs: no other cost has them. Times are those of
    what the run trains itself, where it goes on from the trunk of another.
    """

    cell: Cell
    columns: Mapping[str, Any]
    cost: RunCost
    step: Estimate | None
    time: Estimate | None
    gpu_hours: Estimate | None
    state: str
    actual_s: float | None
    actual_gpu_hours: float | None
    basis: str | None = None
    processes: int = 1
    labelling: Labelling | None = None

    @property
    def by_prior(self) -> bool:
        """Whether the forecast rests on a data sheet, even if measurements narrow it."""
        return self.time is not None and self.basis in (PRIOR_TIMES, BOTH)

    @property
    def run(self) -> RunConfig:
        return self.cell.run

    @property
    def stage(self) -> str:
        """What the grid calls it if it is no cell of the grid, and others start from it."""
        return self.cell.stage

    @property
    def begins(self) -> float:
        """The epoch in which its own training begins: 0 but for a run that goes on from a trunk."""
        if not self.run.trunk:
            return 0.0
        n_train = int(self.columns["n_train"])
        return self.run.shared_steps(n_train) / self.run.train.steps_per_epoch(n_train)

    @property
    def own_epochs(self) -> float:
        """How many epochs it trains itself."""
        return self.run.train.epochs - self.begins

    @property
    def work(self) -> float:
        """What orders runs without forecasts: training FLOPs, or images where those are blank."""
        if (flops := self.cost.own_train_flops) is not None:
            return float(flops)
        return float(self.own_epochs * (self.columns["n_train"] or 1))

    @property
    def forecast_s(self) -> float | None:
        return self.time.value if self.time else None

    @property
    def hours(self) -> float | None:
        """GPU-hours that a finished run took, or that another is forecast to take."""
        if self.actual_gpu_hours is not None:
            return self.actual_gpu_hours
        return self.gpu_hours.value if self.gpu_hours else None


def planned_cells(
    settings: Mapping[str, Any], overrides: Sequence[str], times: Times | None
) -> tuple[dict[str, Any], list[Cell], list[ExcludedPoint]]:
    """The checked grid with its task, its cells, and the points that are none.

    Raises an InputError for a bad grid.
    """
    grid = declared_grid(with_full_names(settings.get("grid"), settings), overrides)
    cells, left = cells_of(grid, settings, times, overrides)
    if not cells:
        why = f"; the first point: {left[0].why}" if left else ""
        raise InputError(f"grid.name={grid['name']}: no cell is left of {len(left)} points{why}")
    return grid | _task([cell.run for cell in cells]), cells, left


def _task(runs: Sequence[RunConfig]) -> dict[str, Any]:
    """What a study says of its task; InputError where runs are of several."""
    tasks = {str(run.program.text if run.program else run.task) for run in runs}
    if len(tasks) > 1:
        raise InputError(f"task={', '.join(sorted(tasks))}: a study compares runs of one task")
    if (program := runs[0].program) is not None:
        return {"task": {k: v for k, v in asdict(program).items() if v and k not in OF_A_RUN}}
    return {} if runs[0].task == DEFAULT else {"task": runs[0].task}


def check_accepted(
    runs: Iterable[RunConfig], store: Store, results: Mapping[str, Result | None]
) -> None:
    """Raise an InputError for finished results that left out images, where data.corrupt=fail."""
    strict = (run.run_id for run in runs if getattr(run.data, "corrupt", None) == "fail")
    stored = (result for run_id in strict if (result := results.get(run_id)) is not None)
    if found := [r for r in stored if r.status in FINISHED and r.corrupt_images]:
        first, more = found[0], len(found) - 1
        raise InputError(
            f"data.corrupt=fail: {first.run_id} has a result that left out {first.corrupt_images} "
            f"corrupt images{f', and {more} more runs have such' if more else ''}; "
            "data.corrupt=skip takes it as it is; to train again, mend the images and remove "
            f"{store.run_dir(first.run_id)}"
        )


def plan(
    cells: Sequence[Cell],
    store: Store,
    results: Mapping[str, Result | None],
    times: Times,
    augment_on: str = "cpu",
) -> list[Planned]:
    """Cost, forecast and state of every cell; `results` is what `store.read()` has found.

    Memory is that of each of the processes that train a run together, on the device which, by
    `augment_on`, also augments their images.
    """
    return [_planned(cell, store, results, times, augment_on) for cell in cells]


def forecasts_of(rows: Iterable[Planned]) -> dict[str, RunForecast | None]:
    """The forecast run time of each row by run id, as a study keeps it; None if unmeasured.

    A prior is not kept: the analysis compares these forecasts with what runs took.
    """
    times = {row.run.run_id: None if row.by_prior else row.time for row in rows}
    return {
        run_id: RunForecast(time.value, time.low, time.high) if time else None
        for run_id, time in times.items()
    }


def _planned(
    cell: Cell,
    store: Store,
    results: Mapping[str, Result | None],
    times: Times,
    augment_on: str,
) -> Planned:
    run_id, columns = cell.run.run_id, describe(cell.run)
    result = results.get(run_id)
    if result is not None and result.status in FINISHED:
        state = result.status
    else:
        # A folder without a result: in work, failed, torn, or left by a crash.
        state = store.state(run_id) if run_id in results else "planned"
        state = with_parents(state, cell.run.parents, store)
    cost, time = run_cost(cell.run), times.whole(cell.run, columns)
    if result is not None and state in FINISHED:
        cost = replace(cost, shared_flops=result.shared_flops)  # as it was trained
    if cell.run.program is None:
        memory = memory_bytes(cell.run, times.processes, augment_on)
        cost = replace(cost, memory_bytes=memory)
    actual_s = result.wall_s if result is not None and state in FINISHED else None
    return Planned(
        cell=cell,
        columns=columns,
        cost=cost,
        step=times.step(cell.run, columns),
        time=time,
        gpu_hours=times.gpu_hours(cell.run, time) if time else None,
        state=state,
        actual_s=actual_s,
        actual_gpu_hours=None if actual_s is None else actual_s * times.gpus(cell.run) / HOUR,
        basis=times.basis(cell.run),
        processes=times.processes,
        labelling=_labelling(cell, store.root.parent, results, times),
    )


def _labelling(
    cell: Cell, results_dir: Path, results: Mapping[str, Result | None], times: Times
) -> Labelling | None:
    """The labels that the run of a cell needs; None without a teacher."""
    run = cell.run
    if run.teacher is None:
        return None
    planned = {one.run.run_id: one.run for one in cell.parents}
    teacher = planned.get(run.teacher.run) or teachers.read(run, results_dir)
    flops, trained = labelling_flops(run, teacher), results.get(teacher.run_id)
    # Images are scored as in an evaluation of the teacher; it is not trained for that.
    time = times.whole(teacher, describe(teacher) | {"train_flops": 0, "eval_flops": flops})
    return Labelling(
        key=(teacher.run_id, pool_key(run, teacher)),
        flops=flops,
        time=time,
        gpu_hours=times.gpu_hours(run, time) if time else None,
        done=file_of(run, teacher, results_dir).is_file()
        and trained is not None
        and trained.status == "ok",
    )
