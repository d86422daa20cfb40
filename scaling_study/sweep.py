"""python -m scaling_study.sweep +grid=NAME: compose, plan, launch what is missing, sum up."""

import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from scaling_study import cli, display
from scaling_study.config import AXES, RunConfig
from scaling_study.data import facts
from scaling_study.device import cpu_cores, visible_gpus
from scaling_study.errors import InputError
from scaling_study.grid import axis_keys, expand
from scaling_study.launch import inline, local
from scaling_study.launch.job import Job, Outcome
from scaling_study.paths import data_dir
from scaling_study.plan import RUN_KEYS, Planned, plan, runs_of, setting_of, to_do, write_csv
from scaling_study.results import read_plan, replace_file
from scaling_study.store import Store

SOME_FAILED = 1


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Plan the grid in `settings`, show it, and unless it is a dry run train what is missing."""
    grid = _grid(settings, overrides)
    known = list(cli.flat_keys({key: settings[key] for key in RUN_KEYS}))
    runs = runs_of(settings, expand(grid, known))
    results_dir = Path(settings["results_dir"])
    store = Store(results_dir)
    threads = settings["launcher"]["threads"]
    slots = _slots(settings["launcher"], runs)
    rows = plan(runs, store, threads)
    print("\n".join(display.lines(rows, len(slots))))
    print("\n".join(_power(rows, grid)))
    if out := settings["plan"]["out"]:
        write_csv(rows, Path(out))
    if settings["dry_run"]:
        return 0
    study_dir = results_dir / grid["name"]
    _prepare(store, study_dir, grid, rows)
    if missing := to_do(rows):
        setting = setting_of(settings)
        jobs = [Job(row.run, setting) for row in missing]
        _launch(settings["launcher"]["name"], jobs, missing, slots)
        rows = plan(runs, store, threads)
        write_csv(rows, study_dir / "plan.csv")
    return _summary(rows, study_dir)


def _grid(settings: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    names = ", ".join(sorted(p.stem for p in data_dir("sweeps").glob("grid/*.yaml")))
    grid = settings.get("grid")
    if not isinstance(grid, dict) or not grid.get("name"):
        raise InputError(f"no grid: add +grid=NAME; grids: {names}")
    varied = axis_keys(grid)
    short = {key: name for name, key in AXES.items()}
    for override in overrides:
        key = override.split("=")[0].lstrip("+~")
        if key in varied:
            name = short.get(key, key)
            value = override.partition("=")[2]
            how = f"'grid.axes={{{name}: […]}}'" if "." in name else f"grid.axes.{name}=[{value}]"
            tied = any(name in point for point in grid.get("points") or [])
            how = f"'grid.points=[{{{name}: {value}, …}}, …]'" if tied else how
            raise InputError(f"{override}: {name} is an axis of this grid; set it by {how}")
    return grid


def _slots(launcher: Mapping[str, Any], runs: Sequence[RunConfig]) -> list[local.Slot]:
    wanted, threads = launcher["slots"], launcher["threads"]
    if any(run.device == "cuda" for run in runs):
        if not (gpus := visible_gpus()):
            raise InputError("device=cuda: no GPU is visible here; device=cpu trains on the CPU")
        return local.gpu_slots(gpus if wanted == "auto" else gpus[: _whole(wanted)])
    n = max(1, cpu_cores() // _whole(threads)) if wanted == "auto" else _whole(wanted)
    return local.cpu_slots(n)


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise InputError(f"launcher: {value!r} must be a whole number, 1 or more (slots: or auto)")
    return value


def _power(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[str]:
    """What the grid can decide. The analysis is imported here alone: planning does not need it."""
    from analysis import power, rules

    planned = [row.columns for row in rows]
    declared = rules.prereg(None, grid)
    return power.describe(power.decidable(planned, declared, power.planning_of(grid)))


def _prepare(store: Store, study_dir: Path, grid: dict[str, Any], rows: list[Planned]) -> None:
    """Everything that a study needs on disk before its first run starts."""
    from analysis import rules

    store.check_writable()
    for row in rows:
        if row.state == "unreadable":
            bad = store.set_aside(row.run.run_id)
            print(f"unreadable result set aside, its run is done again: {bad}")
    study_dir.mkdir(parents=True, exist_ok=True)
    _say_what_is_replaced(study_dir, {row.run.run_id for row in rows})
    classes = {facts(row.run.data).n_classes for row in rows}
    known = {"n_classes": classes.pop()} if len(classes) == 1 else {}
    replace_file(study_dir / "grid.yaml", OmegaConf.to_yaml(grid | known))
    write_csv(rows, study_dir / "plan.csv")
    rules.freeze(study_dir, grid)


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


def _launch(name: str, jobs: list[Job], rows: list[Planned], slots: list[local.Slot]) -> None:
    outcomes: Iterator[Outcome] = (
        local.launch(jobs, slots) if name == "local" else inline.launch(jobs)
    )
    # A scheduler's or a shell's TERM ends a sweep as Ctrl-C does: the runs in work are stopped.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for _ in display.follow(outcomes, rows, len(slots)):
            pass
    except KeyboardInterrupt:
        outcomes.close()  # type: ignore[attr-defined]
        print(f"\nstopped; nothing is lost. To continue: {_command()}", file=sys.stderr)
        raise


def _command() -> str:
    return shlex.join(["python", "-m", "scaling_study.sweep", *sys.argv[1:]])


def _summary(rows: Sequence[Planned], study_dir: Path) -> int:
    """Print what the study has now; the exit code says whether runs failed."""
    counts = Counter(row.state for row in rows)
    print(f"{study_dir}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    failed = [row for row in rows if row.state in ("failed", "planned", "unreadable")]
    for row in failed:
        print(
            f"  {row.run.run_id} {row.state}: see {study_dir.parent}/runs/{row.run.run_id}/log.txt"
        )
    if failed:
        print(f"to retry: {_command()}")
        return SOME_FAILED
    print(f"next: python -m analysis {study_dir} -o figures/{study_dir.name}")
    return 0


if __name__ == "__main__":
    cli.run(main, "sweep")
