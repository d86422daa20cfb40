"""Step times that a sweep measures when its runs are done, and what the analysis makes of them."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import Command, environment, run_dirs
from scaling_study.study.measured import FILE, read_measured

SWEEP = "scaling_study.sweep"
# Two networks in two regimes, of two seeds each.
GRID = ("+grid=smoke", "++grid.axes.epochs=[2,3]", "launcher.slots=2")
ROUNDS = "measure.rounds=2"


def results(tmp_path: Path) -> dict[str, str]:
    return {d.name: (d / "result.json").read_text(encoding="utf-8") for d in run_dirs(tmp_path)}


@pytest.mark.slow
def test_a_sweep_ends_with_step_times_that_its_analysis_reads(
    command: Command, tmp_path: Path
) -> None:
    study = tmp_path / "results/smoke"
    plain = command(SWEEP, *GRID, "measure.at_end=false")
    assert plain.returncode == 0, plain.stderr
    assert "step times" not in plain.stdout
    assert not (study / FILE).exists()
    before = results(tmp_path)

    done = command(SWEEP, *GRID, ROUNDS)  # nothing is left to train, only to measure
    assert done.returncode == 0, done.stderr
    assert "measuring the step times of 2 networks" in done.stdout
    assert "measured.csv: 2 of 2 networks measured in" in done.stdout
    assert results(tmp_path) == before
    rows = sorted(read_measured(study), key=lambda row: row["depth"])
    assert [(row["depth"], row["measurements"]) for row in rows] == [("14", "2"), ("26", "2")]
    cells = {json.loads(text)["config_id"]: json.loads(text)["depth"] for text in before.values()}
    listed = {key: int(row["depth"]) for row in rows for key in row["config_ids"].split()}
    assert listed == cells
    assert not (study / "sweep.json").exists()

    analysed = command("analysis", "results/smoke", "-o", "figures")
    assert analysed.returncode == 0, analysed.stderr
    frontier = (tmp_path / "figures/frontier.csv").read_text(encoding="utf-8")
    for row in rows:
        assert f"{float(row['step_time_s']):.4g}"[:5] in frontier

    again = command(SWEEP, *GRID, ROUNDS)
    assert again.returncode == 0
    assert "measuring" not in again.stdout
    assert sorted(read_measured(study), key=lambda row: row["depth"]) == rows

    # Another length of training brings cells, but no other network.
    longer = command(SWEEP, "+grid=smoke", "++grid.axes.epochs=[2,3,4]", ROUNDS)
    assert longer.returncode == 0, longer.stderr
    assert "measuring" not in longer.stdout
    more = sorted(read_measured(study), key=lambda row: row["depth"])
    assert [len(row["config_ids"].split()) for row in more] == [3, 3]
    assert [row["step_time_s"] for row in more] == [row["step_time_s"] for row in rows]


@pytest.mark.slow
def test_nothing_is_measured_where_a_run_has_failed(command: Command, tmp_path: Path) -> None:
    # Memory is looked at every second: a short run ends before.
    long = ("+grid=smoke", "grid.axes.depth=[14]", "train.epochs=300")
    failed = command(SWEEP, *long, "launcher.memory_gb=0.01", ROUNDS)
    assert failed.returncode == 1
    assert "step times" not in failed.stdout
    assert not (tmp_path / "results/smoke" / FILE).exists()


@pytest.mark.slow
def test_runs_of_another_machine_are_not_measured_on_this_one(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    one = ("+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0]")
    assert command(SWEEP, *one, "measure.at_end=false").returncode == 0
    path = run_dirs(tmp_path)[0] / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    for change, said in (
        ({"device": "cpu: other"}, "1 runs were trained on cpu: other (1 threads, 1 processes)"),
        ({"threads": 2}, "(2 threads, 1 processes), and this is one process on"),
        ({"world_size": 2}, "(1 threads, 2 processes), and this is one process on"),
    ):
        path.write_text(json.dumps(result | change), encoding="utf-8")
        done = sweep_here(*one, ROUNDS)
        assert done.returncode == 0
        assert "step times are not measured: " in done.stdout
        assert said in done.stdout
    assert not (tmp_path / "results/smoke" / FILE).exists()


@pytest.mark.slow
def test_what_does_not_fit_into_the_time_is_said(command: Command, tmp_path: Path) -> None:
    done = command(SWEEP, "+grid=smoke", "grid.axes.seed=[0]", ROUNDS, "measure.most_s=0.01")
    assert done.returncode == 0
    assert "measured.csv: 0 of 2 networks measured" in done.stdout
    assert "2 networks were left out (measure.most_s=0.01 seconds)" in done.stdout
    assert "python -m scaling_study.measure" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_measuring_and_the_same_command_goes_on(
    command: Command, tmp_path: Path, cache_dir: Path, number: int
) -> None:
    arguments = ["+grid=smoke", "grid.axes.seed=[0]", f"cache_dir={cache_dir}"]
    endless = ("measure.rounds=1000", "measure.most_s=1e6")
    sweep = warm_python.start(
        SWEEP, *arguments, *endless, cwd=tmp_path, env=environment(), start_new_session=True
    )
    study, deadline = tmp_path / "results/smoke", time.monotonic() + 120
    while len(read_measured(study)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(sweep.pid, number)
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "stopped while step times were measured; nothing is lost. To continue: " in errors
    assert "Traceback" not in errors
    assert not (study / "sweep.json").exists()
    # What was measured twice is known.
    again = command(SWEEP, *arguments, ROUNDS)
    assert again.returncode == 0
    assert "measuring" not in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("measure.rounds=0", "measure.rounds=0: must be 1 or more"),
        ("measure.rounds=1.5", "measure.rounds=1.5: must be a whole number"),
        ("measure.most_s=0", "measure.most_s=0.0: must be above 0 seconds"),
        ("measure.most_s=long", "measure.most_s='long': must be a finite number"),
        ("measure.at_end=later", "measure.at_end='later': must be true or false"),
        ("+measure.round=2", "measure.round: no such setting (did you mean rounds?)"),
    ],
)
def test_bad_settings_of_measuring(
    sweep_here: Command, tmp_path: Path, override: str, said: str
) -> None:
    done = sweep_here("+grid=smoke", override)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
