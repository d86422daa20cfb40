"""A plan as it is drawn up for a sweep: what is measured, the cells, their rows, what is left.

What the cells of a study depend on is frozen with it: once it has begun, `solve` and `where` go by
the times that it began with, in STUDY/timings.jsonl, so that the same command leads to the same
runs whatever has been measured since. Forecasts go by all that is known now.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.files import replace_file
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_times import Times, device_named, timings_of
from scaling_study.cost.time_model import Timing
from scaling_study.cost.timings import read_timings, written
from scaling_study.grid.cells import Cell, ExcludedPoint
from scaling_study.grid.declared import declared_grid
from scaling_study.launch.options import launcher_of
from scaling_study.planning.order import to_do
from scaling_study.planning.plan import Planned, check_accepted, plan, planned_cells
from scaling_study.study.result import Result
from scaling_study.study.store import Store, check_writable
from scaling_study.sweep import probe

FILE = "timings.jsonl"
# What a grid has to pass: where results lie, its values, its cells, and the points that are none.
Check = Callable[[Path, Mapping[str, Any], Sequence[Cell], Sequence[ExcludedPoint]], None]


@dataclass(frozen=True)
class Draft:
    """A grid's plan against the store.

    `results` is what the store held when it was read. `times` is what is known now, `decided` what
    the cells went by.
    """

    grid: Mapping[str, Any]
    rows: list[Planned]
    left: list[ExcludedPoint]
    times: Times
    decided: Times
    results: Mapping[str, Result | None]


def draft(
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    execution: ExecutionConfig,
    launch: probe.Launch | None,
    check: Check,
) -> tuple[Draft, list[str]]:
    """The plan of the grid in `settings`, and lines about probes; they run if `launch` is given.

    The grid passes `check` before a probe is paid for, and again with its times, without which some
    cells are not known.

    Raises:
        InputError: no grid, one that cannot be planned, see `check_accepted`, or of `check`.
    """
    results_dir, cache_dir = Path(execution.results_dir), Path(execution.cache_dir)
    store, said = Store(results_dir), list[str]()
    results = store.read()
    if launch is not None:
        check_writable(cache_dir, "cache_dir", execution.cache_dir)
        grid, cells, left = planned_cells(settings, overrides, None)
        check(results_dir, grid, cells, left)
        known = Times(timings_of(results.values()), execution.threads)
        said = list(_probed([cell.run for cell in cells], known, launch, cache_dir))
    times = _times(settings, timings_of(results.values()) + probe.kept(cache_dir))
    decided = deciding(settings, overrides, times)
    if decided.used():
        said.append(
            f"cells go by the times that the study began with ({FILE} in its folder); "
            "plan.resolve=true lets them go by those known now"
        )
    grid, cells, left = planned_cells(settings, overrides, decided)
    check(results_dir, grid, cells, left)
    check_accepted([cell.run for cell in cells], store, results)
    rows = plan(cells, store, results, times)
    said += times.notes(row.run for row in to_do(rows))
    return Draft(grid, rows, left, times, decided, results), said


def _times(settings: Mapping[str, Any], timings: Sequence[Timing]) -> Times:
    launcher = launcher_of(settings)
    device = (settings.get("plan") or {}).get("device")
    named = device_named(device, timings) if device else ""
    return Times(timings, launcher.threads, launcher.processes, launcher.slots_per_gpu, named)


def deciding(settings: Mapping[str, Any], overrides: Sequence[str], times: Times) -> Times:
    """What the cells of the grid in `settings` go by: `times`, or those that its study began with.

    Raises:
        InputError: no grid.
    """
    grid = declared_grid(settings.get("grid"), overrides)
    if (settings.get("plan") or {}).get("resolve"):
        return times.only_with([])
    return times.only_with(read_timings(Path(str(settings["results_dir"])) / grid["name"] / FILE))


def freeze(found: Draft, study_dir: Path) -> None:
    """Note the times that the study's cells go by, if they go by any."""
    if timings := found.decided.used():
        replace_file(study_dir / FILE, written(timings))


def planned_runs(
    settings: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[RunConfig]]:
    """The grid in `settings` and its runs, with times as `draft` knows them.

    Raises:
        InputError: no grid, or one that cannot be planned.
    """
    results = Store(Path(str(settings.get("results_dir")))).read().values()
    timings = timings_of(results) + probe.kept(Path(str(settings.get("cache_dir"))))
    times = deciding(settings, overrides, _times(settings, timings))
    grid, cells, _ = planned_cells(settings, overrides, times)
    return grid, [cell.run for cell in cells]


def _probed(
    runs: Sequence[RunConfig], done: Times, launch: probe.Launch, cache_dir: Path
) -> Iterator[str]:
    """Time what finished runs have not, and say so."""
    chosen = probe.choose(runs, done)
    for run, found in probe.measure(chosen, done, launch):
        if isinstance(found, str):
            yield f"probe of {run.run_id} failed: {found}"
        else:
            probe.keep(cache_dir, [found])
            yield f"probe of {run.run_id}: {found.step_time_s:.4g} s a step"
    if not chosen:
        yield "probe: finished runs have measured all that it would time"


def redrawn(old: Draft, execution: ExecutionConfig) -> Draft:
    """The same plan after runs have ended, its forecasts as they were made."""
    store = Store(Path(execution.results_dir))
    results = store.read()
    rows = plan([row.cell for row in old.rows], store, results, old.times)
    return replace(old, rows=rows, results=results)


def orphans(found: Draft, results_dir: Path) -> list[str]:
    """Run folders of the store that neither this plan nor any study's plan.csv lists."""
    rest = set(found.results) - {row.run.run_id for row in found.rows}
    for path in results_dir.glob("*/plan.csv") if rest else ():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rest -= {row[0] for row in csv.reader(file) if row}
        except (OSError, ValueError, csv.Error):
            continue  # a torn plan lists nothing; its sweep writes it anew
    return sorted(rest)


def orphan_lines(found: Draft, results_dir: Path) -> list[str]:
    """A line about runs of the store that no study lists; they are never deleted."""
    names = orphans(found, results_dir)
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} runs in the store are in no study's plan: {some}"] if names else []
