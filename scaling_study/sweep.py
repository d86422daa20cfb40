"""python -m scaling_study.sweep +grid=NAME: compose, plan, launch what is missing, sum up."""

import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from scaling_study import cli, display, foretold, launching, live
from scaling_study.config import RunConfig, Setting
from scaling_study.data import facts, prepare
from scaling_study.errors import InputError
from scaling_study.launch import local
from scaling_study.launch.job import Job, Outcome
from scaling_study.launch.local import PoolError, RepeatedError
from scaling_study.launch.slots import Slot, cpu_slots, slots_for
from scaling_study.launch.stop import Stop, requested_by
from scaling_study.plan import Planned, measured, planned_cells, table, write_csv
from scaling_study.planning.budget import Budget, affordable, budget_of, over
from scaling_study.planning.draft import Draft, draft, orphans, redrawn
from scaling_study.planning.explain import described, difference, explained, infeasible
from scaling_study.planning.order import to_do
from scaling_study.planning.probe import Launch
from scaling_study.planning.times import Times
from scaling_study.results import FINISHED, read_plan, replace_file
from scaling_study.settings import (
    Asked,
    LauncherConfig,
    asked_of,
    check_keys,
    launcher_of,
    setting_of,
    with_code,
)
from scaling_study.store import Store, check_writable
from scaling_study.tracking.options import check as check_tracking

SOME_FAILED = 1
# Asked by these once, runs write checkpoints and end; asked twice, they are killed.
STOPS = {signal.SIGINT: "interrupted", signal.SIGTERM: "interrupted"}


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Plan the grid in `settings`, show it, and unless it is a dry run train what is missing."""
    check_keys(settings, ("grid", "dry_run", "plan", "explain", "diff", "budget", "report"))
    asked, budget = asked_of(settings), budget_of(settings)
    setting, launcher = setting_of(settings), launcher_of(settings)
    check_tracking(setting.tracking)
    found, said = draft(settings, overrides, setting, _probe(asked, setting, launcher))
    if said:
        print("\n".join(said))
    if asked.explain or asked.diff:
        print("\n".join(_explained(found, asked, setting, overrides)))
        return 0
    store, grid = Store(Path(setting.results_dir)), dict(found.grid)
    study_dir = Path(setting.results_dir) / grid["name"]
    look = launching.standing if asked.dry_run else launching.settled
    rows = look(found.rows, store, study_dir)
    stays = launcher.cluster is None or launcher.cluster.wait
    report = live.refresher(settings, study_dir, stays)
    slots = _slots(rows, launcher, asked.dry_run)
    notes = [*infeasible(found.left), *_orphans(found, setting), *_unfair(rows, grid)]
    shown = display.lines(rows, len(slots), asked.order)
    print("\n".join([*shown, *notes, *_power(rows, study_dir, grid)]))
    if asked.out:
        write_csv(rows, grid, Path(asked.out))
    if not budget.allows(rows):
        rows = _fit(rows, budget, study_dir, grid)
        found = replace(found, rows=rows)
    if asked.dry_run:
        return 0
    running, missing = with_code(setting), to_do(rows, asked.order)
    if missing:
        launching.check(running, launcher)
    _prepare(store, study_dir, setting, grid, rows)
    if missing:
        foretold.keep(missing, study_dir)
        with requested_by(STOPS) as stop, report:
            outcomes = launching.launch(missing, running, launcher, study_dir, slots, stop)
            _follow(outcomes, missing, len(slots), stop)
        ended = redrawn(found, setting)
        rows = ended.rows
        write_csv(rows, grid, study_dir / "plan.csv")
        _compare(missing, ended, setting.threads)
    return _summary(rows, study_dir)


def _slots(rows: Sequence[Planned], launcher: LauncherConfig, dry_run: bool) -> list[Slot]:
    """Where runs would execute; a dry run may plan for GPUs that are not here, one at a time."""
    try:
        return launching.places(launcher, rows)
    except InputError:
        if not dry_run:
            raise
        return cpu_slots(max(1, launcher.slots))


def _probe(asked: Asked, setting: Setting, launcher: LauncherConfig) -> Launch | None:
    """What runs the probes, if they are asked for: the local pool, whatever launches the sweep."""
    if not asked.probe:
        return None

    def launch(runs: Sequence[RunConfig], folder: Path) -> Iterator[Outcome]:
        slots = slots_for([run.device for run in runs], launcher.slots, launcher.threads)
        probing = replace(setting, results_dir=str(folder))
        return local.launch([Job(run, probing) for run in runs], slots)

    return launch


def _explained(
    found: Draft, asked: Asked, setting: Setting, overrides: Sequence[str]
) -> Iterator[str]:
    cells = [row.cell for row in found.rows]
    if asked.explain:
        yield from explained(cells, found.left)
    if not asked.diff:
        return
    here = {cell.run.run_id: described(cell.point) for cell in cells}
    if (Path(asked.diff) / "plan.csv").is_file():
        other = {row["run_id"]: row["state"] for row in read_plan(Path(asked.diff))}
    else:
        rest = [text for text in overrides if not text.lstrip("+~").startswith("grid")]
        values = cli.composed("sweep", [f"+grid={asked.diff}", *rest])
        _, others, _ = planned_cells(values, rest, found.times)
        other = {cell.run.run_id: described(cell.point) for cell in others}
    yield from difference(str(found.grid["name"]), here, asked.diff, other)


def _orphans(found: Draft, setting: Setting) -> list[str]:
    """A line about runs of the store that no study lists; they are never deleted."""
    names = orphans(found, Path(setting.results_dir))
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} runs in the store are in no study's plan: {some}"] if names else []


def _power(rows: Sequence[Planned], study_dir: Path, grid: Mapping[str, Any]) -> list[str]:
    """What the grid can decide. The analysis is imported here alone: planning does not need it."""
    from analysis import power

    return power.describe(_powers(rows, study_dir, grid))


def _powers(rows: Sequence[Planned], study_dir: Path, grid: Mapping[str, Any]) -> list[Any]:
    from analysis import power, rules

    planned = [row.columns for row in rows]
    declared = rules.prereg(study_dir, grid)
    return power.decidable(planned, declared, power.planning_of(grid))


def _unfair(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[str]:
    """What differs between runs that the rules compare, beside what the grid compares."""
    from analysis import fairness

    records = [
        r | {"device": row.run.device} for r, row in zip(table(rows, grid), rows, strict=True)
    ]
    found = fairness.differences(records, fairness.compared(grid))
    return [f"not the same in all runs: {line}" for line in found]


def _fit(
    rows: list[Planned], budget: Budget, study_dir: Path, grid: Mapping[str, Any]
) -> list[Planned]:
    """The part of the plan that the budget pays for and that decides most rules, if it is taken.

    Raises:
        InputError: it is not to be taken, or nothing fits.
    """

    def worth(part: Sequence[Planned]) -> tuple[float, ...]:
        effects = [p.mde80 for p in _powers(part, study_dir, grid) if p.mde80 is not None]
        return len(effects), -sum(effects)

    part = affordable(rows, budget, worth)
    if not part:
        raise InputError(f"{over(rows, budget)}; not one run fits")
    print(f"what fits: {len(part)} of {len(rows)} runs, {_said(budget.spent(part))}, which decide")
    print("\n".join(f"  {line}" for line in _power(part, study_dir, grid)))
    if not budget.fit:
        raise InputError(
            f"{over(rows, budget)}; nothing is started. "
            f"budget.fit=true takes the {len(part)} runs that fit"
        )
    return part


def _said(spent: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {cost:.4g}" for name, cost in spent.items())


def _compare(started: Sequence[Planned], ended: Draft, threads: int) -> None:
    """Print forecasts, as they were before, beside what the runs took."""
    ids = {row.run.run_id for row in started}
    done = [row for row in ended.rows if row.run.run_id in ids]
    now = Times(measured(ended.results.values()), threads)
    if lines := display.compared(done, now.forecast(done[0].run).held_out_error):
        print("\n".join(lines))


def _prepare(
    store: Store, study_dir: Path, setting: Setting, grid: dict[str, Any], rows: list[Planned]
) -> None:
    """Everything that a study needs on disk before its first run starts."""
    from analysis import rules

    check_writable(Path(setting.cache_dir), "cache_dir", setting.cache_dir)
    check_writable(store.root, "results_dir", setting.results_dir)
    check_writable(study_dir, "results_dir", setting.results_dir)
    for data in {row.run.data for row in rows if row.state not in FINISHED}:
        prepare(data, Path(setting.cache_dir))
    for row in rows:
        if row.state == "unreadable":
            bad = store.set_aside(row.run.run_id)
            print(f"unreadable result set aside, its run is done again: {bad}")
    _say_what_is_replaced(study_dir, {row.run.run_id for row in rows})
    classes = {facts(row.run.data).n_classes for row in rows}
    known = {"n_classes": classes.pop()} if len(classes) == 1 else {}
    rules.freeze(study_dir, grid)
    replace_file(study_dir / "grid.yaml", yaml.safe_dump(grid | known, sort_keys=False))
    write_csv(rows, grid, study_dir / "plan.csv")


def _say_what_is_replaced(study_dir: Path, run_ids: set[str]) -> None:
    """A study is what its last sweep planned; the runs of another one stay in the store."""
    if not (study_dir / "plan.csv").is_file():
        return
    others = {row["run_id"] for row in read_plan(study_dir)} - run_ids
    if others:
        print(
            f"{study_dir} listed {len(others)} runs that are not in this plan: they stay in the "
            "store; to keep both studies, give one its own name with grid.name=NAME"
        )


def _follow(outcomes: Iterator[Outcome], rows: list[Planned], slots: int, stop: Stop) -> None:
    """Wait for all runs. Asked to stop, by Ctrl-C or TERM, the launcher lets them end first."""
    try:
        for _ in display.follow(outcomes, rows, slots):
            pass
    except PoolError as error:
        _stopped(str(error))
    except RepeatedError as error:
        print(f"stopped: {error}; after mending it: {_command()}", file=sys.stderr)
        return
    if stop.reasons:
        _stopped("")


def _stopped(why: str) -> NoReturn:
    print(f"\nstopped {why}; nothing is lost. To continue: {_command()}", file=sys.stderr)
    raise KeyboardInterrupt


def _command() -> str:
    return shlex.join(["python", "-m", "scaling_study.sweep", *sys.argv[1:]])


def _summary(rows: Sequence[Planned], study_dir: Path) -> int:
    """Print what the study has now; the exit code says whether runs failed."""
    counts = Counter(row.state for row in rows)
    print(f"{study_dir}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    store = Store(study_dir.parent)
    failed = [row for row in rows if row.state in ("failed", "planned", "unreadable")]
    for row in failed:
        print(f"  {_why(row, store)}: see {store.run_dir(row.run.run_id)}/log.txt")
    if failed:
        print(f"to retry: {_command()}")
        return SOME_FAILED
    if counts["queued"]:
        print(f"watch them: python -m scaling_study.status {study_dir}")
    elif counts["running"]:
        print(f"{counts['running']} runs are in work in another process; {_command()} looks again")
    else:
        print(f"next: python -m analysis {study_dir} -o figures/{study_dir.name}")
    return 0


def _why(row: Planned, store: Store) -> str:
    """The run, its state, and the cause of its failure."""
    result = store.result(row.run.run_id) if row.state == "failed" else None
    cause = f" ({result.cause})" if result is not None and result.cause else ""
    return f"{row.run.run_id} {row.state}{cause}"


if __name__ == "__main__":
    cli.run(main, "sweep")
