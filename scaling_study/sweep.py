"""python -m scaling_study.sweep +grid=NAME: compose, plan, launch what is missing, sum up."""

import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from scaling_study import cli, display, launching
from scaling_study.config import Setting
from scaling_study.data import facts
from scaling_study.errors import InputError
from scaling_study.launch.job import Outcome
from scaling_study.launch.local import PoolError, RepeatedError
from scaling_study.launch.stop import Stop, requested_by
from scaling_study.plan import Planned, plan, planned_runs, to_do, write_csv
from scaling_study.results import read_plan, replace_file
from scaling_study.settings import check_keys, launcher_of, setting_of, with_code
from scaling_study.store import Store, check_writable
from scaling_study.values import group

SOME_FAILED = 1
# Asked by these once, runs write checkpoints and end; asked twice, they are killed.
STOPS = {signal.SIGINT: "interrupted", signal.SIGTERM: "interrupted"}


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Plan the grid in `settings`, show it, and unless it is a dry run train what is missing."""
    check_keys(settings, ("grid", "dry_run", "plan"))
    dry_run, out = _what_to_do(settings)
    setting, launcher = setting_of(settings), launcher_of(settings)
    grid, runs = planned_runs(settings, overrides)
    store = Store(Path(setting.results_dir))
    study_dir = Path(setting.results_dir) / grid["name"]
    look = launching.standing if dry_run else launching.settled
    rows = look(plan(runs, store, setting.threads), store, study_dir)
    slots = launching.places(launcher, rows)
    print("\n".join(display.lines(rows, len(slots))))
    print("\n".join(_power(rows, study_dir, grid)))
    if out:
        write_csv(rows, Path(out))
    if dry_run:
        return 0
    _prepare(store, study_dir, setting, grid, rows)
    if missing := to_do(rows):
        running = with_code(setting)
        with requested_by(STOPS) as stop:
            outcomes = launching.launch(missing, running, launcher, study_dir, slots, stop)
            _follow(outcomes, missing, len(slots), stop)
        rows = plan(runs, store, setting.threads)
        write_csv(rows, study_dir / "plan.csv")
    return _summary(rows, study_dir)


def _what_to_do(settings: Mapping[str, Any]) -> tuple[bool, str | None]:
    dry_run, out = settings.get("dry_run"), group(settings, "plan").get("out")
    if not isinstance(dry_run, bool):
        raise InputError(f"dry_run={dry_run!r}: must be true or false")
    if not (out is None or isinstance(out, str)):
        raise InputError(f"plan.out={out!r}: must be a file name")
    return dry_run, out


def _power(rows: Sequence[Planned], study_dir: Path, grid: Mapping[str, Any]) -> list[str]:
    """What the grid can decide. The analysis is imported here alone: planning does not need it."""
    from analysis import power, rules

    planned = [row.columns for row in rows]
    declared = rules.prereg(study_dir, grid)
    return power.describe(power.decidable(planned, declared, power.planning_of(grid)))


def _prepare(
    store: Store, study_dir: Path, setting: Setting, grid: dict[str, Any], rows: list[Planned]
) -> None:
    """Everything that a study needs on disk before its first run starts."""
    from analysis import rules

    check_writable(Path(setting.cache_dir), "cache_dir", setting.cache_dir)
    check_writable(store.root, "results_dir", setting.results_dir)
    check_writable(study_dir, "results_dir", setting.results_dir)
    for row in rows:
        if row.state == "unreadable":
            bad = store.set_aside(row.run.run_id)
            print(f"unreadable result set aside, its run is done again: {bad}")
    _say_what_is_replaced(study_dir, {row.run.run_id for row in rows})
    classes = {facts(row.run.data).n_classes for row in rows}
    known = {"n_classes": classes.pop()} if len(classes) == 1 else {}
    rules.freeze(study_dir, grid)
    replace_file(study_dir / "grid.yaml", yaml.safe_dump(grid | known, sort_keys=False))
    write_csv(rows, study_dir / "plan.csv")


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
