"""python -m scaling_study.sweep +grid=NAME: compose, plan, launch what is missing, sum up."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from scaling_study.common.command_line import spelled
from scaling_study.common.ranks import alone_all_the_same
from scaling_study.config import hydra_app
from scaling_study.config.axes import display_names
from scaling_study.config.execution import ExecutionConfig, execution_config_of, with_code
from scaling_study.config.keys import check_keys
from scaling_study.config.tracking import Tracking
from scaling_study.cost.device_times import timings_of
from scaling_study.grid.explain import infeasible, unchanged
from scaling_study.launch import registry
from scaling_study.launch.base import Launch
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome, PoolError, RepeatedError
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop_signals import Stop, handled_by, requested_by, sweep_stops
from scaling_study.planning.budget import budget_of
from scaling_study.planning.draft import Draft, draft, freeze, orphan_lines, redrawn
from scaling_study.planning.expenses import expense_lines
from scaling_study.planning.order import check as check_order
from scaling_study.planning.order import to_do
from scaling_study.planning.plan import Planned, forecasts_of
from scaling_study.planning.plan_table import write_csv
from scaling_study.planning.trunk_savings import saving_lines
from scaling_study.study import forecasts
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store
from scaling_study.sweep import (
    alerts,
    decisions,
    display,
    image_notes,
    live_report,
    prepare,
    progress,
    step_times,
)
from scaling_study.sweep.allocation import allocated
from scaling_study.sweep.explain import points_of
from scaling_study.sweep.options import (
    POINTS,
    RULES,
    MeasureOptions,
    measure_options_of,
    sweep_options_of,
)
from scaling_study.sweep.requests import preview, probes_by, requests_of, slots_of, with_states
from scaling_study.sweep.summary import retyped, summary
from scaling_study.sweep.work import Work
from scaling_study.tracking.announce import announced
from scaling_study.tracking.registry import check as check_tracking

# Settings of what happens once runs are at work.
LATER = ("report", "measure")


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Plan the grid in `settings`, show it, and unless it is a dry run train what is missing.

    An adaptive study begins anew after each round, with its results.
    """
    code, again = _sweep(settings, overrides)
    while again:
        code, again = _sweep(settings, overrides)
    return code


def _sweep(settings: dict[str, Any], overrides: list[str]) -> tuple[int, bool]:
    """One plan and its runs: the exit code, and whether another round may follow."""
    from analysis.rules import check_grid

    check_keys(settings, ("grid", "dry_run", "plan", "explain", "diff", "budget", *LATER))
    asked, budget = sweep_options_of(settings), budget_of(settings)
    measuring = measure_options_of(settings)
    check_order(asked.order)
    if note := alone_all_the_same(os.environ):
        print(note, file=sys.stderr)
    options, execution = registry.options_of(settings), execution_config_of(settings)
    launcher = registry.launcher(options.name)
    check_tracking(execution.tracking)
    alerts.check(execution.tracking, launcher)
    probe = probes_by(execution, options) if asked.probe else None
    found, lines = draft(settings, overrides, execution, probe, check_grid.check)
    if lines:
        print("\n".join(lines))
    if asked.explain == POINTS or asked.diff:
        print("\n".join(points_of(found, asked, overrides)))
        return 0, False
    store, grid = Store(Path(execution.results_dir)), dict(found.grid)
    study_dir = Path(execution.results_dir) / grid["name"]
    plan = decisions.Plan(found.rows, study_dir, grid, found.results)
    chosen = allocated(found, study_dir, plan)
    found = chosen.found
    if asked.explain == RULES:
        print("\n".join(display.notes(plan.details(found.rows))))
        return 0, False
    rows = with_states(found.every, store, study_dir, asked.dry_run)
    report = live_report.refresher(settings, study_dir, options.waits_for_runs)
    slots = slots_of(rows, execution, options, asked.dry_run)
    budget = replace(budget, own=forecasts.started(study_dir))
    notes = [*orphan_lines(found, store.root.parent), *plan.tuning(rows), *plan.confounders(rows)]
    notes += [*decisions.unsuited(rows), *found.pilot_notes, *chosen.lines, *saving_lines(rows)]
    notes += [*plan.equivalence(rows), *plan.describe(rows)]
    notes += image_notes.loader(to_do(rows), found.results.values())
    notes += [*image_notes.stored(to_do(rows), execution), *decisions.budget_lines(rows, budget)]
    notes += expense_lines(to_do(rows), found.times, *asked.expenses)
    called = display_names([row.run for row in rows], grid)
    shown = display.lines(rows, len(slots), asked.order, called, found.times.data_sheet)
    _show(found, [*display.question(grid), *shown], notes)
    if asked.out:
        write_csv(rows, grid, Path(asked.out))
    if asked.show_jobs:
        print("\n".join(preview(rows, execution, options, study_dir)))
    if not budget.allows(rows, rows):
        rows = decisions.within(rows, budget, plan)
        found = found.of_every(rows)
    if asked.dry_run:
        return 0, False
    if missing := to_do(rows, asked.order, len(slots)):
        execution = with_code(execution)
        launcher.check(options, execution)
    prepare.make_ready(store, study_dir, execution, grid, rows, chosen.declared, chosen.share)
    freeze(found, study_dir)
    with report if missing else nullcontext():
        if missing:
            _train(missing, execution, options, study_dir, slots)
            report.rest()
            found = _ended(found, missing, study_dir, execution)
            rows = found.every
        if not launcher.leaves_jobs:
            _measure(found.rows, found.results, study_dir, execution, measuring)
    done = all(row.state in FINISHED for row in rows)
    again = chosen.in_rounds and bool(missing) and done
    return summary(rows, study_dir, options.waits_for_runs, launcher.advice), again


def _show(found: Draft, shown: Sequence[str], notes: Sequence[str]) -> None:
    """Print a plan, what was left out of it, and what else is to be said."""
    cells = [row.cell for row in found.rows]
    notes = [*infeasible(found.left), *unchanged(cells, found.left), *notes]
    print("\n".join([*shown, *display.notes(notes)]))


def _train(
    missing: Sequence[Planned],
    execution: ExecutionConfig,
    options: LauncherOptions,
    study_dir: Path,
    slots: Sequence[Slot],
) -> None:
    """Launch these runs, and stay until they are done where the launcher does."""
    forecasts.keep(forecasts_of(missing), study_dir)
    leaves_jobs = registry.launcher(options.name).leaves_jobs
    with requested_by(sweep_stops()) as stop:
        requests = requests_of(missing, execution)
        outcomes = registry.launch(Launch(requests, options, study_dir, slots, stop))
        work = Work(missing, Store(study_dir.parent), len(slots))
        with announced(execution.tracking):
            _follow(outcomes, work, stop, study_dir if leaves_jobs else None, execution.tracking)


def _ended(
    found: Draft, started: Sequence[Planned], study_dir: Path, execution: ExecutionConfig
) -> Draft:
    """The plan after its runs have ended, which plan.csv has from now on.

    Prints forecasts, as they were before, next to what the runs took.
    """
    ended = redrawn(found, execution)
    write_csv(ended.every, dict(ended.grid), study_dir / "plan.csv")
    ids = {row.run.run_id for row in started}
    done = [row for row in ended.every if row.run.run_id in ids]
    now = ended.times.with_timings(timings_of(ended.results.values()))
    lines = display.compared(done, now.forecast(done[0].run).held_out_error)
    if lines := [*lines, *image_notes.bound_by_data(map(ended.results.get, ids))]:
        print("\n".join(lines))
    return ended


def _measure(
    rows: Sequence[Planned],
    results: Mapping[str, Result | None],
    study_dir: Path,
    execution: ExecutionConfig,
    options: MeasureOptions,
) -> None:
    """Measure step times, unless asked to stop, by Ctrl-C or TERM: the sweep ends then."""
    try:
        with handled_by(signal.default_int_handler, sweep_stops()):
            step_times.measure(rows, results, study_dir, execution, options)
    except KeyboardInterrupt:
        _stopped(" while step times were measured; nothing is lost")


def _follow(
    outcomes: Iterator[Outcome], work: Work, stop: Stop, jobs_of: Path | None, tracking: Tracking
) -> None:
    """Wait for all runs. Asked to stop, by Ctrl-C or TERM, the launcher lets them end first.

    Jobs of the study in `jobs_of` stay in a queue.
    """
    try:
        ended = progress.follow(outcomes, work, stop)
    except PoolError as error:
        _stopped(f" {error}; nothing is lost")
    except RepeatedError as error:
        print(f"stopped: {error}; after mending it: {retyped()}", file=sys.stderr)
        return alerts.say_repeated(tracking, str(error))
    if stop.reasons:
        cancel = f"{spelled('cancel', 'scaling_study.cancel')} {jobs_of}"
        left = f": its jobs stay in the queue, and {cancel} cancels them" if jobs_of else ""
        _stopped(f"; nothing is lost{left}")
    alerts.say_ended(tracking, ended, work.statuses["failed"])


def _stopped(why: str) -> NoReturn:
    print(f"\nstopped{why}. To continue: {retyped()}", file=sys.stderr)
    raise KeyboardInterrupt


def command() -> NoReturn:
    """The command line."""
    hydra_app.run(main, "sweep")


if __name__ == "__main__":
    command()
