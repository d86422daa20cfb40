"""The command that trains a single run."""

import json
import re
from pathlib import Path

import pytest

from helpers.commands import Command, run_dirs

MORE = ("train.epochs=2", "data.val_per_class=8")


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


@pytest.mark.slow
def test_one_run_by_itself(command: Command, tmp_path: Path) -> None:
    tiny = ("model.depth=14", "model.width=0.125", "data.classes=4", "data.train_per_class=16")
    done = command("scaling_study.train", *tiny, *MORE)
    assert done.returncode == 0, done.stderr
    assert re.search(r"d14-w0\.125-r16-e2-s0-\w{10} ok, error \d", done.stdout)
    assert len(run_dirs(tmp_path)) == 1


@pytest.mark.slow
def test_hydras_multirun_works_for_single_runs(command: Command, tmp_path: Path) -> None:
    tiny = ("model.depth=14", "model.width=0.125", "data.classes=4", "data.train_per_class=16")
    done = command("scaling_study.train", "-m", *tiny, *MORE, "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert len(run_dirs(tmp_path)) == 2
    assert {p.name for p in tmp_path.iterdir()} == {"results"}


@pytest.mark.slow
def test_digits_train_with_the_same_trainer(command_here: Command, tmp_path: Path) -> None:
    small = ("model.depth=14", "model.width=0.125", "data=digits", "train.epochs=4")
    done = command_here("scaling_study.train", *small)
    assert done.returncode == 0, done.stderr
    (run_dir,) = run_dirs(tmp_path)
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    assert (result["data"], result["n_val"]) == ("digits", 597)
    assert result["val_error"] < 0.5


@pytest.mark.slow
def test_one_epoch_is_enough_with_the_default_recipe(command_here: Command, tmp_path: Path) -> None:
    small = ("model.depth=14", "model.width=0.125", "data=digits", "train.epochs=1")
    done = command_here("scaling_study.train", *small)
    assert done.returncode == 0, done.stderr
    (run_dir,) = run_dirs(tmp_path)
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    assert (result["epochs"], result["status"]) == (1, "ok")
