"""Two sweeps of one study at once."""

import json
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import Command, environment

SWEEP = "scaling_study.sweep"


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(2))
def test_two_sweeps_at_once_train_every_run_once(
    sweep_here: Command, tmp_path: Path, cache_dir: Path, attempt: int
) -> None:
    arguments = ["+grid=smoke", "grid.axes.depth=[14]", "++grid.axes.seed='range(30)'"]
    arguments += ["data.train_per_class=8", "data.val_per_class=4", f"cache_dir={cache_dir}"]
    words = (SWEEP, *arguments, "launcher.slots=2")
    both = [warm_python.start(*words, cwd=tmp_path, env=environment()) for _ in range(2)]
    output = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    folders = [p for p in (tmp_path / "results/runs").iterdir() if p.is_dir()]
    assert len(folders) == 30
    for folder in folders:
        lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines if "loss" in json.loads(line)]
        assert len(epochs) == len(set(epochs)), folder
        assert (folder / "log.txt").read_text("utf-8").count("resuming") == 0
    again = sweep_here(*arguments, "launcher.slots=2")
    assert "30 ok" in again.stdout
    assert "[1/" not in again.stdout
