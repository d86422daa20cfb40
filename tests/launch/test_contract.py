"""What every launcher does with runs: those that ship, and one of a user's own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import Command, environment
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.hydra_app import composed
from scaling_study.launch import registry
from scaling_study.launch.base import Launch, Launcher
from scaling_study.launch.job import Job, Request
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.stop_signals import Stop, requested_by
from scaling_study.study.result import FINISHED
from scaling_study.study.table import read_plan

OWN = "launch.subprocess_launcher"
TESTS = Path(__file__).resolve().parents[1]
# How the command line chooses each.
CHOICES = {
    "local": ["launcher=local"],
    "inline": ["launcher=inline"],
    OWN: ["launcher=inline", f"launcher.name={OWN}"],
}


@pytest.fixture(params=CHOICES)
def choice(request: pytest.FixtureRequest) -> list[str]:
    return [*CHOICES[request.param], "launcher.slots=2"]


@pytest.fixture
def options(choice: list[str]) -> LauncherOptions:
    return registry.options_of(composed("sweep", choice))


@contextmanager
def stopped_by_ctrl_c() -> Iterator[Stop]:
    with requested_by({signal.SIGINT: "interrupted"}) as stop:
        yield stop


def launched(jobs: Sequence[Job], options: LauncherOptions, stop: Stop) -> Iterator[Outcome]:
    requests = [Request(job) for job in jobs]
    study_dir = Path(jobs[0].execution.results_dir) / "study"
    study_dir.mkdir(parents=True, exist_ok=True)
    slots = registry.launcher(options.name).slots(options, requests)
    return registry.launch(Launch(requests, options, study_dir, slots, stop))


def outcomes(jobs: Sequence[Job], options: LauncherOptions) -> dict[str, Outcome]:
    with stopped_by_ctrl_c() as stop:
        return {outcome.run_id: outcome for outcome in launched(jobs, options, stop)}


@pytest.mark.slow
def test_a_run_that_fails_has_a_failed_result_and_touches_no_other(
    options: LauncherOptions, execution: ExecutionConfig
) -> None:
    # No images can be stored in a folder that is a file.
    bad = Job(tiny(seed=0), replace(execution, cache_dir="/dev/null/cache"))
    good = [Job(tiny(seed=seed), execution) for seed in (1, 2)]
    found = outcomes([bad, *good], options)
    assert [found[job.run.run_id].status for job in (bad, *good)] == ["failed", "ok", "ok"]
    result = bad.store.result(bad.run.run_id)
    assert result is not None
    assert (result.status, result.cause) == ("failed", "error")
    assert str(result.error).startswith("NotADirectoryError")
    assert all(job.outcome() == found[job.run.run_id] for job in good)


@pytest.mark.slow
def test_what_is_done_is_not_done_again(
    options: LauncherOptions, execution: ExecutionConfig
) -> None:
    jobs = [Job(tiny(seed=seed), execution) for seed in range(2)]
    assert [o.status for o in outcomes(jobs[:1], options).values()] == ["ok"]
    result = jobs[0].store.run_dir(jobs[0].run.run_id) / "result.json"
    first = result.stat().st_mtime_ns
    assert {o.status for o in outcomes(jobs, options).values()} == {"ok"}
    assert result.stat().st_mtime_ns == first


@pytest.mark.slow
def test_outcomes_come_as_runs_end(options: LauncherOptions, execution: ExecutionConfig) -> None:
    jobs = [Job(tiny(seed=0), execution), Job(tiny(seed=1, **{"train.epochs": 3000}), execution)]
    with stopped_by_ctrl_c() as stop:
        coming = launched(jobs, options, stop)
        first = next(coming)
        assert (first.run_id, first.status) == (jobs[0].run.run_id, "ok")
        assert jobs[1].store.state(jobs[1].run.run_id) not in FINISHED
        coming.close()  # type: ignore[attr-defined]
    ended = time.monotonic() + 60
    while jobs[1].store.state(jobs[1].run.run_id) == "running":
        assert time.monotonic() < ended
        time.sleep(0.1)


def test_a_run_at_work_elsewhere_is_left_alone(
    options: LauncherOptions, execution: ExecutionConfig
) -> None:
    job = Job(tiny(), execution)
    with job.store.claim(job.run.run_id) as claim:
        assert claim is not None
        (outcome,) = outcomes([job], options).values()
    assert outcome.status == "running"
    assert {path.name for path in job.store.run_dir(job.run.run_id).iterdir()} <= {
        "job.json",
        "log.txt",
    }


@pytest.mark.slow
def test_a_request_to_stop_leaves_checkpoints_and_starts_no_more(
    options: LauncherOptions, execution: ExecutionConfig
) -> None:
    slow = replace(execution, checkpoint_every_s=1000)
    jobs = [Job(tiny(seed=seed, **{"train.epochs": 3000}), slow) for seed in range(3)]

    def ask() -> None:
        while not any(job.store.state(job.run.run_id) == "running" for job in jobs):
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask)
    asking.start()
    found = outcomes(jobs, options)
    asking.join()
    assert {(o.status, o.cause) for o in found.values()} == {("stopped", "interrupted")}
    assert 1 <= len(found) <= 2
    states = [job.store.state(job.run.run_id) for job in jobs]
    assert states == ["planned"] * 3
    run_dirs = [jobs[0].store.run_dir(run_id) for run_id in found]
    assert all((run_dir / "checkpoint.pt").exists() for run_dir in run_dirs)


def command(folder: Path, module: str, *arguments: str) -> "subprocess.Popen[str]":
    """An entry point that finds the modules of this folder."""
    path = os.pathsep.join([str(TESTS), *sys.path])
    env = environment() | {"PYTHONPATH": path}
    return warm_python.start(module, *arguments, cwd=folder, env=env)


def states(folder: Path) -> dict[str, int]:
    output, errors = command(folder, "scaling_study.status", "results/smoke", "--json").communicate(
        timeout=120
    )
    assert not errors
    return {state: n for state, n in json.loads(output)["counts"].items() if n}


@pytest.mark.slow
def test_a_sweep_is_watched_cancelled_and_done_again(
    choice: list[str], tmp_path: Path, cache_dir: Path, sweep_here: Command
) -> None:
    two = ("+grid=smoke", "grid.axes.depth=[14]", f"cache_dir={cache_dir}")
    long = (*two, "train.epochs=4000")
    sweep = command(tmp_path, "scaling_study.sweep", *long, *choice)
    end = time.monotonic() + 120
    while not list(tmp_path.glob("results/runs/*/checkpoint.pt")):
        assert time.monotonic() < end
        time.sleep(0.2)
    before = states(tmp_path)
    assert before["running"] >= 1
    assert sum(before.values()) == 2
    cancel = command(tmp_path, "scaling_study.cancel", "results/smoke")
    output, errors = cancel.communicate(timeout=120)
    assert (cancel.returncode, errors) == (0, "")
    assert f"cancelled {before['running']} running and 0 queued runs" in output
    _, errors = sweep.communicate(timeout=120)
    assert (sweep.returncode, "nothing is lost" in errors) == (130, True)
    after = states(tmp_path)
    assert after.pop("failed") >= 1
    assert set(after) <= {"planned"}
    # A sweep of other lengths trains its own runs; a second one has nothing to do.
    sweep = command(tmp_path, "scaling_study.sweep", *two, *choice)
    output, errors = sweep.communicate(timeout=120)
    again = sweep_here(*two, *choice)
    assert (sweep.returncode, errors) == (again.returncode, again.stderr) == (0, "")
    assert ("results/smoke: 2 ok" in output, "[2/2]" in output) == (True, True)
    assert ("results/smoke: 2 ok" in again.stdout, "[2/2]" in again.stdout) == (True, False)
    assert len(read_plan(tmp_path / "results/smoke")) == 2


def test_a_launcher_of_ones_own_is_one_short_file() -> None:
    found = registry.launcher(OWN)
    assert (found.name, isinstance(found, Launcher)) == (OWN, True)
    text = (TESTS / "launch/subprocess_launcher.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60


@pytest.mark.slow
def test_the_launcher_of_the_docs_runs_from_a_yaml(tmp_path: Path, cache_dir: Path) -> None:
    text = (TESTS.parent / "docs/launching.md").read_text(encoding="utf-8")
    for name, kind in (("my_launchers/mine.py", "python"), ("my_conf/launcher/mine.yaml", "yaml")):
        (tmp_path / name).parent.mkdir(parents=True)
        block = text.partition(f"```{kind}\n")[2].partition("```")[0]
        (tmp_path / name).write_text(block, encoding="utf-8")
    grid = ("+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0]", f"cache_dir={cache_dir}")
    chosen = ("--config-dir", "my_conf", "launcher=mine")
    output, errors = command(tmp_path, "scaling_study.sweep", *chosen, *grid).communicate()
    assert errors == ""
    assert "results/smoke: 1 ok" in output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mars", "launcher.name=mars: unknown; known: inline, local, slurm, or the import path"),
        ("job", "launcher.name=job: unknown"),
        ("no_such.launcher", "launcher.name=no_such.launcher: unknown; known: inline"),
        ("helpers.tiny", "tiny.py declares no LAUNCHER"),
        ("../evil", "launcher.name=../evil: unknown"),
    ],
)
def test_what_is_no_launcher_is_bad_input(name: str, message: str) -> None:
    values = composed("sweep", ["launcher=inline"])
    values["launcher"]["name"] = name
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        registry.options_of(values)
