"""A draft of a sweep's plan: what is measured, the cells, their runs, and what was left out.

The times that select a study's cells are frozen with it: once it has begun, `solve` and `where` use
those in STUDY/timings.jsonl, so that the same command leads to the same runs whatever has been
measured since. Forecasts use all that is known now.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.files import replace_file
from scaling_study.common.reading import csv_in
from scaling_study.common.validation import group
from scaling_study.config.axes import Settings
from scaling_study.config.execution import ExecutionConfig, processes_of, threads_of
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_times import Times, device_named, timings_of
from scaling_study.cost.time_model import Timing
from scaling_study.cost.timings import kept_probes, read_timings, written
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ExcludedPoint, ancestors
from scaling_study.grid.declared import declared_grid
from scaling_study.planning.code_changes import code_changes
from scaling_study.planning.devices_per_run import allotted, check_given, wish_of
from scaling_study.planning.order import to_do
from scaling_study.planning.parents import check_kept, check_processes, needed
from scaling_study.planning.pilot import fitting
from scaling_study.planning.plan import Planned, check_accepted, plan, planned_cells
from scaling_study.study.axes import config_key
from scaling_study.study.result import Result
from scaling_study.study.store import Store, check_writable

FILE = "timings.jsonl"
# Published steps take more than twice this; a deep network's launches may.
LAUNCHES_S = 0.02
# All values of what is called so: an axis, a config key, `variant` or `target`.
Values = Callable[[str], set[Any]]
# Refuses a grid that its analysis cannot use: the study's folder, the grid, and all values that its
# cells, and its points that are no cells, have of an axis or a setting.
Check = Callable[[Path, Mapping[str, Any], Values], None]
# Times some of the runs, those that the times given do not cover, keeps that in the cache, and says
# so in lines.
Probe = Callable[[Sequence[RunConfig], Times], Iterator[str]]


@dataclass(frozen=True)
class Draft:
    """A grid's plan against the store.

    `results` is what the store held when it was read. `times` is what is known now, `decided` what
    selected the cells. `pilot_notes` say which entries of the grid's `planning` are not used.
    `parents` are the runs that some of `rows` start from and that are no cells of the grid.
    """

    grid: Mapping[str, Any]
    rows: list[Planned]
    left: list[ExcludedPoint]
    times: Times
    decided: Times
    results: Mapping[str, Result | None]
    pilot_notes: Sequence[str] = ()
    parents: Sequence[Planned] = ()

    @property
    def every(self) -> list[Planned]:
        """All runs that the cells take, parents before the runs that start from them."""
        return [*needed(self.parents, self.rows), *self.rows]

    def of_every(self, rows: Sequence[Planned]) -> "Draft":
        """The same draft with other rows of all its runs."""
        cells = [row for row in rows if not row.stage]
        return replace(self, rows=cells, parents=[row for row in rows if row.stage])


def draft(
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    execution: ExecutionConfig,
    probe: Probe | None,
    check: Check,
) -> tuple[Draft, list[str]]:
    """The plan of the grid in `settings`, and lines about times; `probe`, if given, times runs.

    The grid passes `check` before a probe is paid for, and again with its times, without which some
    cells are not known.

    Raises an InputError without a grid that can be planned, by `check_accepted`, or by `check`.
    """
    results_dir, cache_dir = Path(execution.results_dir), Path(execution.cache_dir)
    store, lines = Store(results_dir), list[str]()
    results = store.read()
    if probe is not None:
        check_writable(cache_dir, "cache_dir", execution.cache_dir)
        grid, cells, left = planned_cells(settings, overrides, None)
        grid, _ = fitting(grid, settings, overrides)
        check(results_dir / grid["name"], grid, values_of(cells, left))
        known = Times(timings_of(results.values()), execution.threads)
        lines = list(probe([cell.run for cell in (*ancestors(cells), *cells)], known))
    times = _times(settings, timings_of(results.values()), cache_dir)
    decided = deciding(settings, overrides, times)
    if decided.used():
        lines.append(
            f"cells go by the times that the study began with ({FILE} in its folder); "
            "plan.resolve=true lets them go by those known now"
        )
    grid, cells, left = planned_cells(settings, overrides, decided)
    grid, notes = fitting(grid, settings, overrides)
    check(results_dir / grid["name"], grid, values_of(cells, left))
    every = [*ancestors(cells), *cells]
    check_accepted([cell.run for cell in every], store, results)
    rows = plan(every, store, results, times, execution.augment_on)
    check_kept(rows, store, execution)
    options = group(settings, "launcher")
    if (wish := wish_of(options, times, execution.augment_on)) is not None:
        rows, about = allotted(rows, wish, times, store, results)
        lines += about
    else:
        check_given(to_do(rows), options.get("gpus_per_run"))
        lines += _without_effect(options)
    check_processes(rows, store, results)
    lines += [*times.notes(row.run for row in to_do(rows)), *blank_costs(rows)]
    lines += [*_short_steps(to_do(rows)), *code_changes(rows, store, results)]
    found = Draft(grid, [], left, times, decided, results, notes)
    return found.of_every(rows), lines


def _without_effect(launcher: Mapping[str, Any]) -> list[str]:
    """A line about a wish that nobody reads."""
    if (hours := launcher.get("target_hours")) is None:
        return []
    return [f"launcher.target_hours={hours} counts with launcher.gpus_per_run=auto alone"]


def blank_costs(rows: Sequence[Planned]) -> list[str]:
    """A line for each family whose costs could not be counted, with the reason."""
    found = {row.run.model.family: row.cost.missing for row in rows if row.cost.missing}
    return [
        f"costs of model.family={name}: FLOPs, memory and forecasts are blank, because {why}"
        for name, why in found.items()
    ]


def _short_steps(rows: Sequence[Planned]) -> list[str]:
    """A line about steps that a prior cannot know: launches, not work, take their time."""
    short = [row for row in rows if row.by_prior and row.step and row.step.value < LAUNCHES_S]
    if not short:
        return []
    return [
        f"forecast: {len(short)} runs have steps below {1000 * LAUNCHES_S:g} ms by the prior, "
        "which knows no network so small: launching kernels takes longer; a probe measures it"
    ]


def values_of(cells: Sequence[Cell], left: Sequence[ExcludedPoint]) -> Values:
    """The values of these cells, and of points that are no cells."""

    def values(name: str) -> set[Any]:
        key = config_key(name)
        found = {point.point[key] for point in left if key in point.point}
        if name == "target":
            solved = {(s.quantity, s.target) for cell in cells if (s := cell.solved)}
            return found | {f"{quantity} {target:g}" for quantity, target in solved}
        if name == "variant":
            return found | {cell.variant for cell in cells if cell.variant}
        if name == "lr":
            return found | {cell.run.train.lr for cell in cells}
        settings = Settings()
        return found | {settings.of(cell.run).get(key) for cell in cells}

    return values


def _times(settings: Mapping[str, Any], measured: Sequence[Timing], cache_dir: Path) -> Times:
    launcher, timings = group(settings, "launcher"), [*measured, *kept_probes(cache_dir)]
    device = (settings.get("plan") or {}).get("device")
    named, sheet = device_named(str(device), timings) if device else ("", None)
    sharing = launcher.get("slots_per_gpu")
    sharing = sharing if isinstance(sharing, int) else 1  # auto: known once runs are launched
    return Times(timings, threads_of(settings), processes_of(launcher), sharing, named, sheet)


def deciding(settings: Mapping[str, Any], overrides: Sequence[str], times: Times) -> Times:
    """The times that select the cells of the grid in `settings`: `times`, or its study's own.

    Only measurements do: a prior would select others once it is narrowed.
    """
    grid = declared_grid(settings.get("grid"), overrides)
    study_dir = Path(str(settings["results_dir"])) / grid["name"]
    known = (settings.get("plan") or {}).get("resolve")
    return times.measured_only().only_with([] if known else read_timings(study_dir / FILE))


def freeze(found: Draft, study_dir: Path) -> None:
    """Keep the times that have selected the study's cells, if any have."""
    if timings := found.decided.used():
        replace_file(study_dir / FILE, written(timings))


def planned_runs(
    settings: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[RunConfig]]:
    """The grid in `settings` and its runs, with times as `draft` knows them; raises as it does.

    Runs that differ from others in the learning rate or its schedule alone, which change no time,
    are left out.
    """
    results_dir, cache_dir = (Path(str(settings.get(k))) for k in ("results_dir", "cache_dir"))
    times = _times(settings, timings_of(Store(results_dir).read().values()), cache_dir)
    decided = deciding(settings, overrides, times)
    grid, cells, _ = planned_cells(settings, overrides, decided)
    return grid, [cell.run for cell in cells if cell.lr_factor == 1 and cell.judged]


def redrawn(old: Draft, execution: ExecutionConfig) -> Draft:
    """The same plan after runs have ended, its forecasts as they were made."""
    store = Store(Path(execution.results_dir))
    results = store.read()
    times = {row.processes: old.times.of_processes(row.processes) for row in old.every}
    where = execution.augment_on
    rows = [plan([r.cell], store, results, times[r.processes], where)[0] for r in old.every]
    return replace(old.of_every(rows), results=results)


def orphans(found: Draft, results_dir: Path) -> list[str]:
    """Run folders of the store that neither this plan nor any study's plan.csv lists."""
    rest = set(found.results) - {row.run.run_id for row in found.every}
    for path in results_dir.glob("*/plan.csv") if rest else ():
        try:
            rest -= {row.get("run_id", "") for row in csv_in(path)}
        except (OSError, ValueError):
            continue  # a torn plan lists nothing; its sweep writes it anew
    return sorted(rest)


def orphan_lines(found: Draft, results_dir: Path) -> list[str]:
    """A line about runs of the store that no study lists; they are never deleted."""
    names = orphans(found, results_dir)
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} runs in the store are in no study's plan: {some}"] if names else []
