"""A plan as it is drawn up for a sweep: what is measured, the cells, their rows, what is left."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.config import Setting
from scaling_study.plan import Planned, check_accepted, measured, plan, planned_cells
from scaling_study.planning import probe
from scaling_study.planning.cells import Left
from scaling_study.planning.times import Times
from scaling_study.results import Result
from scaling_study.store import Store


@dataclass(frozen=True)
class Draft:
    """A grid's plan against the store, `processes` a run.

    `results` is what the store held when it was read.
    """

    grid: Mapping[str, Any]
    rows: list[Planned]
    left: list[Left]
    times: Times
    results: Mapping[str, Result | None]
    processes: int


def draft(
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    setting: Setting,
    launch: probe.Launch | None,
    processes: int = 1,
) -> tuple[Draft, list[str]]:
    """The plan of the grid in `settings`, and lines about probes; they run if `launch` is given.

    Raises:
        InputError: no grid, one that cannot be planned, or see `check_accepted`.
    """
    store, cache_dir = Store(Path(setting.results_dir)), Path(setting.cache_dir)
    results = store.read()
    timings = measured(results.values()) + probe.kept(cache_dir)
    times, said = Times(timings, setting.threads, processes), []
    if launch is not None:
        _, cells, _ = planned_cells(settings, overrides, None)
        new = []
        chosen = probe.choose([cell.run for cell in cells], times)
        for run, found in probe.measure(chosen, times, launch):
            if isinstance(found, str):
                said.append(f"probe of {run.run_id} failed: {found}")
            else:
                new.append(found)
                said.append(f"probe of {run.run_id}: {found.step_time_s:.4g} s a step")
        if not chosen:
            said.append("probe: all that it would time is measured already")
        probe.keep(cache_dir, new)
        times = Times(timings + new, setting.threads, processes)
    grid, cells, left = planned_cells(settings, overrides, times)
    check_accepted((cell.run for cell in cells), store, results)
    rows = plan(cells, store, results, times, processes)
    return Draft(grid, rows, left, times, results, processes), said


def redrawn(old: Draft, setting: Setting) -> Draft:
    """The same plan after runs have ended, its forecasts as they were made."""
    store = Store(Path(setting.results_dir))
    results = store.read()
    cells = [row.cell for row in old.rows]
    rows = plan(cells, store, results, old.times, old.processes)
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
