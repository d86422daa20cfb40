"""The sweep as a user starts it: plan, train, repeat, lose things."""

import csv
import json
import re
from pathlib import Path

import pytest

from helpers.commands import Command, run_dirs
from helpers.photos import write_folders

SWEEP = "scaling_study.sweep"


@pytest.mark.slow
def test_a_dry_run_plans_every_run_and_writes_nothing(command: Command, tmp_path: Path) -> None:
    done = command(SWEEP, "+grid=smoke", "dry_run=true")
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(re.findall(r"^d\d+-w0\.125-r16-e2-s\d-\w{10} ", done.stdout, re.M)) == 4
    assert "4 runs: 4 planned" in done.stdout
    assert "blank, because nothing has been measured on this device yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_plan_as_a_table_has_the_run_columns(sweep_here: Command, tmp_path: Path) -> None:
    done = sweep_here("+grid=depth_vs_width_large", "dry_run=true", "plan.out=plan.csv")
    assert done.returncode == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = {"run_id", "depth", "width", "params", "flops", "train_flops", "forecast_s", "state"}
    assert known <= rows[0].keys()
    assert {row["state"] for row in rows} == {"planned"}
    assert {row["forecast_s"] for row in rows} == {""}
    assert len({row["run_id"] for row in rows}) == len(rows)
    for epochs in (4, 20):
        said = rf"^  At {epochs} epochs depth or width: differences of [\d.]+ % of the error$"
        assert re.search(said, done.stdout, re.M)


@pytest.mark.slow
def test_finished_runs_stay_and_lost_ones_are_done_again(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    first = command(SWEEP, "+grid=smoke")
    assert first.returncode == 0, first.stderr
    assert "[4/4]" in first.stdout
    assert "results/smoke: 4 ok" in first.stdout
    dirs = run_dirs(tmp_path)
    files = {"config.yaml", "job.json", "metrics.jsonl", "checkpoint.pt", "result.json", "log.txt"}
    assert [{p.name for p in d.iterdir()} for d in dirs] == [files | {"images.json"}] * 4
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


@pytest.mark.slow
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
    assert "\n3 of 4 runs finished in " in failed.stdout
    assert "; 1 failed" in failed.stdout
    assert "IsADirectoryError" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert "to retry: python -m scaling_study.sweep +grid=smoke cache_dir=" in failed.stdout
    assert "Traceback" in (blocked.parent / "log.txt").read_text(encoding="utf-8")
    blocked.rmdir()
    again = command(SWEEP, "+grid=smoke")
    assert again.returncode == 0
    assert "results/smoke: 4 ok" in again.stdout


@pytest.mark.parametrize("data", ["digits", "fractals", "imagefolder"])
def test_the_smoke_grid_tries_out_any_data(sweep_here: Command, tmp_path: Path, data: str) -> None:
    more = [f"data.root={write_folders(tmp_path / 'own')}"] if data == "imagefolder" else []
    done = sweep_here("+grid=smoke", f"data={data}", "dry_run=true", *more)
    assert done.returncode == 0, done.stderr
    assert "4 runs: 4 planned" in done.stdout


def test_the_smoke_grid_trains_on_images_of_ones_own(sweep_here: Command, tmp_path: Path) -> None:
    root = write_folders(tmp_path / "own", n_train=16)
    done = sweep_here("+grid=smoke", "data=imagefolder", f"data.root={root}")
    assert done.returncode == 0, done.stderr
    assert "4 ok" in done.stdout
    results = [json.loads(path.read_text()) for path in tmp_path.glob("**/result.json")]
    assert {(r["data"], r["n_val"], r["resolution"]) for r in results} == {("imagefolder", 12, 16)}
