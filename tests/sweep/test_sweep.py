"""The sweep as a user starts it: plan, train, repeat, lose things, mistype things."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.commands import Command, environment

SWEEP = "scaling_study.sweep"
MORE = ("train.epochs=2", "data.val_per_class=8")


def run_dirs(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "results/runs").iterdir() if path.is_dir())


def test_a_dry_run_plans_every_run_and_writes_nothing(command: Command, tmp_path: Path) -> None:
    done = command(SWEEP, "+grid=smoke", "dry_run=true")
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(re.findall(r"^d\d+-w0\.125-r16-e2-s\d-\w{10} ", done.stdout, re.M)) == 4
    assert "4 runs: 4 planned" in done.stdout
    assert "blank, because nothing has been measured on this device yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_plan_as_a_table_has_the_run_columns(sweep_here: Command, tmp_path: Path) -> None:
    done = sweep_here("+grid=depth_vs_width", "dry_run=true", "plan.out=plan.csv")
    assert done.returncode == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = {"run_id", "depth", "width", "params", "flops", "train_flops", "forecast_s", "state"}
    assert known <= rows[0].keys()
    assert {row["state"] for row in rows} == {"planned"}
    assert {row["forecast_s"] for row in rows} == {""}
    assert len({row["run_id"] for row in rows}) == len(rows)
    for rule in ("R1-long", "R1-short"):
        assert re.search(rf"{rule} \(\d+ epochs\): decides effects of [\d.]+ %", done.stdout)


def test_finished_runs_stay_and_lost_ones_are_done_again(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    first = command(SWEEP, "+grid=smoke")
    assert first.returncode == 0, first.stderr
    assert "[4/4]" in first.stdout
    assert "results/smoke: 4 ok" in first.stdout
    dirs = run_dirs(tmp_path)
    assert [{p.name for p in d.iterdir()} for d in dirs] == [
        {"config.yaml", "job.json", "metrics.jsonl", "checkpoint.pt", "result.json", "log.txt"}
    ] * 4
    results = [(d / "result.json").read_text(encoding="utf-8") for d in dirs]
    times = [(d / "result.json").stat().st_mtime_ns for d in dirs]

    again = sweep_here("+grid=smoke")
    assert again.returncode == 0
    assert "[1/" not in again.stdout
    assert "4 ok" in again.stdout
    assert times == [(d / "result.json").stat().st_mtime_ns for d in dirs]

    (dirs[0] / "result.json").unlink()
    (dirs[1] / "result.json").write_text('{"schema": 1', encoding="utf-8")
    (dirs[2] / "checkpoint.pt").unlink()
    third = command(SWEEP, "+grid=smoke")
    assert third.returncode == 0
    assert "[2/2]" in third.stdout
    assert "unreadable result set aside" in third.stdout
    assert (dirs[1] / "result.json.bad").read_text(encoding="utf-8") == '{"schema": 1'
    for index in (0, 1):
        now = json.loads((dirs[index] / "result.json").read_text(encoding="utf-8"))
        before = json.loads(results[index])
        assert now["val_loss"] == before["val_loss"]
        assert now["step_time_s"] == before["step_time_s"]  # the checkpoint had it: no training
        assert "resuming at step 16 of 16" in (dirs[index] / "log.txt").read_text("utf-8")
    assert times[2:] == [(d / "result.json").stat().st_mtime_ns for d in dirs[2:]]

    forecast = sweep_here("+grid=smoke", "++grid.axes.seed=[0,7]", "dry_run=true")
    assert re.search(r"-s7-\w{10} .* \d+\.\ds  planned", forecast.stdout)
    assert "on " in forecast.stdout.split("forecast:")[1]

    mixed = sweep_here("+grid=smoke", "train.lr_per_256=0.1", "dry_run=true")
    assert "4 planned" in mixed.stdout  # another recipe is another run


def test_failed_runs_are_listed_and_retried(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    plan = sweep_here("+grid=smoke", "dry_run=true", "plan.out=plan.csv")
    assert plan.returncode == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        run_id = next(csv.DictReader(file))["run_id"]
    # No metrics can be appended to a folder.
    blocked = tmp_path / "results/runs" / run_id / "metrics.jsonl"
    blocked.mkdir(parents=True)
    failed = command(SWEEP, "+grid=smoke")
    assert failed.returncode == 1
    assert "3 ok" in failed.stdout
    assert "1 failed" in failed.stdout
    assert "IsADirectoryError" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert "to retry: python -m scaling_study.sweep +grid=smoke cache_dir=" in failed.stdout
    assert "Traceback" in (blocked.parent / "log.txt").read_text(encoding="utf-8")
    blocked.rmdir()
    again = command(SWEEP, "+grid=smoke")
    assert again.returncode == 0
    assert "results/smoke: 4 ok" in again.stdout


def start(tmp_path: Path, cache_dir: Path, *more: str) -> "subprocess.Popen[str]":
    arguments = ["+grid=smoke", "train.epochs=400", f"cache_dir={cache_dir}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", SWEEP, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_checkpoints(tmp_path: Path, count: int) -> list[Path]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = sorted(tmp_path.glob("results/runs/*/checkpoint.pt"))
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError("no checkpoint appeared")


def workers(tmp_path: Path) -> list[int]:
    files = tmp_path.glob("results/runs/*/job.json")
    return [json.loads(path.read_text(encoding="utf-8"))["pid"] for path in files]


def gone(pids: list[int], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_children_and_says_how_to_continue(
    tmp_path: Path, cache_dir: Path, number: int
) -> None:
    sweep = start(tmp_path, cache_dir, "launcher.slots=2")
    wait_for_checkpoints(tmp_path, 2)
    pids = workers(tmp_path)
    os.killpg(sweep.pid, number)
    _, errors = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert "To continue: python -m scaling_study.sweep +grid=smoke train.epochs=400" in errors
    assert "Traceback" not in errors
    assert len(pids) == 2
    assert gone(pids)


def test_a_second_ctrl_c_leaves_no_failure(tmp_path: Path, cache_dir: Path) -> None:
    sweep = start(tmp_path, cache_dir, "launcher.slots=3")
    wait_for_checkpoints(tmp_path, 3)
    os.killpg(sweep.pid, signal.SIGINT)
    os.killpg(sweep.pid, signal.SIGINT)
    _, errors = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert "stopped; nothing is lost. To continue: " in errors
    assert not list(tmp_path.glob("results/runs/*/result.json"))


def test_children_of_a_killed_sweep_stop_too(tmp_path: Path, cache_dir: Path) -> None:
    sweep = start(tmp_path, cache_dir, "launcher.slots=2")
    wait_for_checkpoints(tmp_path, 2)
    pids = workers(tmp_path)
    sweep.kill()
    sweep.communicate()
    assert len(pids) == 2
    assert gone(pids)


def test_a_killed_worker_is_that_runs_failure_alone(
    command: Command, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        "launcher.slots=1",
        "grid.axes.seed=[0,1]",
        "grid.axes.depth=[14]",
        "train.epochs=30",
        "checkpoint.every_s=0",
    )
    sweep = start(tmp_path, cache_dir, *arguments)
    killed = wait_for_checkpoints(tmp_path, 1)[0].parent
    os.kill(workers(tmp_path)[0], signal.SIGKILL)
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 1
    assert "1 failed" in output
    assert "1 ok" in output
    assert "killed by SIGKILL" in output
    assert "to retry: python -m scaling_study.sweep +grid=smoke" in output
    again = command(SWEEP, "+grid=smoke", *arguments)
    assert again.returncode == 0
    assert "[1/1]" in again.stdout
    assert "resuming at step" in (killed / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["+grid=depth_vs_widht"], "depth_vs_width"),
        (["grid=smoke"], "+grid=NAME"),
        ([], "no grid: add +grid=NAME; grids: additive_study, depth_vs_width, paper/"),
        (["+grid=smoke", "++grid.axes.dpeth=[14]"], "grid.axes.dpeth: no such axis (did you mean"),
        (["+grid=smoke", "grid.axes.widht=[1]"], "'++grid.axes.seed=[0,1]'"),
        (["+grid=smoke", "grid.axes.depth=14,26"], "takes a list, as in 'grid.axes.seed=[0,1]'"),
        (["+grid=smoke", "grid.axes.seed=range(2)"], "'grid.axes.seed=\"range(3)\"'"),
        (["+grid=smoke", "grid.axes={seed:range(2)}"], "'grid.axes={seed: \"range(3)\"}'"),
        (["+grid=smoke", "model.depth=50"], "set it by grid.axes.depth=[50]"),
        (
            ["+grid=smoke", "seed=3"],
            "seed=3: seed is an axis of the grid smoke; set it by grid.axes",
        ),
        (["+grid=smoke", "model.width=1"], "'grid.points=[{width: 1, …}, …]'"),
        (["+grid=smoke", "depth=50"], "depth: the setting of one run is model.depth"),
        (["+grid=smoke", "recipe=paper"], "recipe: a run's recipe is chosen by its group train"),
        (["+grid=smoke", "model.dept=50"], "model.dept: no such setting (did you mean model.depth"),
        (["+grid=smoke", "+model.dept=50"], "model.dept: no such setting (did you mean depth"),
        (["+grid=smoke", "grid.axes.depth=[15]"], "model.depth=15: no ResNet layout; known depths"),
        (["+grid=smoke", "grid.points=[{width: 0}]"], "model.width=0: must be above 0"),
        (["+grid=smoke", "grid.points=[{width: 0.01}]"], "model.width=0.01: no channel is left"),
        (["+grid=smoke", "data.resolution=8"], "data.resolution=8: too small for a network"),
        (["+grid=smoke", "model.stem=rs"], "the smallest side is 32 px"),
        (["+grid=smoke", "train.batch_size=1000"], "more than the 128 training images"),
        (["+grid=smoke", "launcher.threads=0"], "launcher.threads=0: must be 1 or more"),
        (["+grid=smoke", "launcher.slots=0"], "launcher.slots=0: must be 1 or more, or auto"),
        (["+grid=smoke", "launcher.name=mars"], "launcher.name=mars: unknown; known: local, slurm"),
        (["+grid=smoke", "launcher=mars"], "'launcher/mars'; known: inline, local"),
        (["+grid=smoke", "launcher=null"], "must be a string"),
        (["+grid=smoke", "checkpoint.keep=all"], "checkpoint.keep=all: must be final or none"),
        (["+grid=smoke", "results_dir=5"], "results_dir=5: must be a name"),
        (["+grid=smoke", "dry_run=maybe"], "dry_run='maybe': must be true or false"),
        (["+grid=smoke", "grid.name=../evil"], "grid.name='../evil': must be letters"),
        (["+grid=smoke", "grid.name=runs"], "and not 'runs'"),
        (["+grid=smoke", "grid.points=5"], "grid.points=5: must be a list of mappings"),
        (["+grid=smoke", "grid.axes=5"], "grid.axes"),
        (["+grid=smoke", "grid.axes.depth=[nan]"], "model.depth=nan: must be a whole number"),
        (["+grid=smoke", "train.weight_decay=inf"], "train.weight_decay=inf: must be a finite num"),
        (["+grid=smoke", "data.seed=-1"], "data.seed=-1: must be 0 or more"),
        (["+grid=smoke", "+modle.depth=50"], "modle: no such setting here (did you mean model?)"),
        (["+grid=smoke", "+grid.rules={base: {depth: x}}"], "rules.base: {'depth': 'x'}"),
        (["+grid=smoke", "+grid.planning={2: 1}"], "grid.planning={2: 1}: must be"),
        (["+grid=smoke", "cache_dir=/dev/null"], "cache_dir=/dev/null: cannot write"),
        (["+grid=smoke", "device=cuda"], "device=cuda: no GPU is visible here"),
        (
            ["+grid=smoke", "plan.out=/dev/null/plan.csv", "dry_run=true"],
            "/dev/null/plan.csv: cann",
        ),
        (["+grid=smoke", "results_dir=/dev/null"], "results_dir=/dev/null: cannot write"),
        (["+grid=smoke", "train.epochs=many"], "train.epochs='many': must be a whole number"),
        (["+grid=smoke", "train=fast"], "fixed"),
        (["+grid=smoke", "seed=[1"], "seed=[1"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    sweep_here: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = sweep_here(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["+grid=smoke"], "grid: no such setting here"),
        (["launcher=local"], "one run trains in this process"),
        (["device=cuda"], "no GPU is visible here"),
        (["checkpoint.every_s=often"], "checkpoint.every_s='often': must be a finite number"),
    ],
)
def test_bad_input_of_a_single_run(
    command_here: Command, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = command_here("scaling_study.train", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_run_by_itself(command: Command, tmp_path: Path) -> None:
    tiny = ("model.depth=14", "model.width=0.125", "data.classes=4", "data.train_per_class=16")
    done = command("scaling_study.train", *tiny, *MORE)
    assert done.returncode == 0, done.stderr
    assert re.search(r"d14-w0\.125-r16-e2-s0-\w{10} ok, error \d", done.stdout)
    assert len(run_dirs(tmp_path)) == 1


def test_hydras_multirun_works_for_single_runs(command: Command, tmp_path: Path) -> None:
    tiny = ("model.depth=14", "model.width=0.125", "data.classes=4", "data.train_per_class=16")
    done = command("scaling_study.train", "-m", *tiny, *MORE, "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert len(run_dirs(tmp_path)) == 2
    assert {p.name for p in tmp_path.iterdir()} == {"results"}


def test_digits_train_with_the_same_trainer(command_here: Command, tmp_path: Path) -> None:
    small = ("model.depth=14", "model.width=0.125", "data=digits", "train.epochs=4")
    done = command_here("scaling_study.train", *small)
    assert done.returncode == 0, done.stderr
    (run_dir,) = run_dirs(tmp_path)
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    assert (result["data"], result["n_val"]) == ("digits", 597)
    assert result["val_error"] < 0.5
