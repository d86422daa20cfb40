"""scaling_study.measure: every network alone, round by round, and forecasts that know it."""

import csv
from pathlib import Path

import pytest

from helpers.commands import Command

SMOKE = ("+grid=smoke", "grid.axes.depth=[14]", "train.batch_size=8")


@pytest.mark.slow
def test_each_cell_is_measured_in_each_round_and_forecasts_know_it(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    grid = (*SMOKE, "cache_dir=cache")
    done = command("scaling_study.measure", *grid, "measure.rounds=2")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 networks measured 2 times" in done.stdout
    with (tmp_path / "results/smoke/measured.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)  # two seeds are one cell
    assert (row["depth"], row["width"], row["batch_size"]) == ("14", "0.125", "8")
    step, forward = float(row["step_time_s"]), float(row["inference_time_s"])
    assert 0 < forward < step  # a step holds a forward pass
    assert int(row["peak_memory_bytes"]) > 50e6
    assert int(row["measurements"]) == 2
    assert 0 <= float(row["step_time_log_sd"]) < 1
    assert not list(tmp_path.glob("results/runs/*"))  # it leaves no runs behind
    dry = sweep_here(*grid, "dry_run=true")
    assert "forecast: blank" not in dry.stdout


def test_rounds_are_checked(command_here: Command) -> None:
    done = command_here("scaling_study.measure", "+grid=smoke", "measure.rounds=0")
    assert (done.returncode, done.stderr.strip()) == (
        2,
        "error: measure.rounds=0: must be 1 or more",
    )


def test_bad_input_is_one_message(command_here: Command) -> None:
    done = command_here("scaling_study.measure", "+grid=smoke", "dry_run=true")
    assert done.returncode == 2
    assert "dry_run" in done.stderr
    assert "Traceback" not in done.stderr
