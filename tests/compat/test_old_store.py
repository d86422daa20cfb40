"""A store of the version before is analysed, planned, looked at and continued by this one."""

import csv
import json
import platform
import shutil
import sys
import tarfile
from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from write_store import (
    COMPARED,
    GRIDS,
    OUTPUTS,
    SAME_ARITHMETIC,
    STORE,
    USER,
    device,
    run,
    status,
    sweep,
)

from helpers.commands import Command

# Of `status`: what depends on when it is asked.
CLOCK = {"time", "runs_per_hour"}
# Of a result: what training measures, and so differs between two runs of one config.
MEASURED = {
    *("val_error", "train_error", "val_loss", "wall_s", "peak_memory_bytes", "bound"),
    *("step_time_s", "step_time_mean_s", "step_time_cv", "images_per_s"),
    *("device", "git_commit", "git_dirty", "versions", "schema"),
}
same_digits = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the outputs that are kept have the last digits of Linux on x86-64",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The old store and its user's files, where commands run."""
    with tarfile.open(STORE) as tar:
        tar.extractall(tmp_path, filter="data")
    shutil.copytree(USER, tmp_path, dirs_exist_ok=True)
    for name, value in SAME_ARITHMETIC.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def assert_same(new: Path, old: Path) -> None:
    """Fail with the first lines that differ unless the bytes are equal."""
    if new.read_bytes() != old.read_bytes():
        texts = [path.read_text(encoding="utf-8").splitlines() for path in (old, new)]
        pytest.fail("\n".join(islice(unified_diff(*texts, str(old), str(new), "", "", 0), 20)))


def keep_columns(new: Path, old: Path) -> None:
    """Write `new` without the columns that `old` lacks: columns may be added."""
    with old.open(newline="", encoding="utf-8") as file:
        names = next(csv.reader(file))
    with new.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def fields_of(old: Any, new: Any) -> Any:
    """`new` without the fields that `old` lacks: fields may be added."""
    if isinstance(old, dict):
        return {key: fields_of(value, new[key]) for key, value in old.items()}
    if isinstance(old, list):
        return [fields_of(*pair) for pair in zip(old, new, strict=True)]
    return new


@pytest.mark.slow
@same_digits
@pytest.mark.parametrize("grid", GRIDS)
def test_analyses_are_equal_byte_for_byte(grid: str, folder: Path, command: Command) -> None:
    done = command("analysis", f"results/{grid}", "-o", "figures")
    assert done.returncode == 0, done.stderr
    for name in COMPARED:
        assert_same(folder / "figures" / name, OUTPUTS / grid / name)


@pytest.mark.slow
@same_digits
@pytest.mark.parametrize("grid", [*GRIDS, "own_family"])
def test_plans_are_equal_byte_for_byte(grid: str, folder: Path, command: Command) -> None:
    done = command(*sweep(grid, device(folder), "dry_run=true", "plan.out=plan.csv")[2:])
    assert done.returncode == 0, done.stderr
    keep_columns(folder / "plan.csv", OUTPUTS / grid / "plan.csv")
    assert_same(folder / "plan.csv", OUTPUTS / grid / "plan.csv")


@pytest.mark.parametrize("grid", GRIDS)
def test_the_status_is_the_same(grid: str, folder: Path) -> None:
    old = json.loads((OUTPUTS / grid / "status.json").read_text(encoding="utf-8"))
    new = fields_of(old, json.loads(run(folder, status(grid))))
    assert {key: new[key] for key in old.keys() - CLOCK} == {
        key: old[key] for key in old.keys() - CLOCK
    }


@pytest.mark.slow
def test_a_sweep_trains_what_is_missing_and_continues_what_was_interrupted(
    folder: Path, command: Command
) -> None:
    whole = json.loads((OUTPUTS / "not_interrupted.json").read_text(encoding="utf-8"))
    lost = folder / "results/runs" / whole["run_id"]
    step = torch.load(lost / "checkpoint.pt", weights_only=True)["step"]
    before = (lost / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ended = ("ok", "diverged")
    results = {path: path.read_text("utf-8") for path in lost.parent.glob("*/result.json")}
    finished = {path: text for path, text in results.items() if json.loads(text)["status"] in ended}

    done = command(*sweep("arms")[2:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[3/3]" in done.stdout
    assert "results/arms: 30 ok" in done.stdout
    assert {path: path.read_text("utf-8") for path in finished} == finished

    assert f"resuming at step {step} of 64" in (lost / "log.txt").read_text(encoding="utf-8")
    lines = (lost / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines[: len(before)] == before
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    result = json.loads((lost / "result.json").read_text(encoding="utf-8"))
    assert {key: result[key] for key in whole.keys() - MEASURED} == {
        key: whole[key] for key in whole.keys() - MEASURED
    }
    # On one machine all digits are equal; others add in another order (1e-6 between AVX2 and 512).
    assert result["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-3)
    assert result["val_error"] == pytest.approx(whole["val_error"], abs=0.01)

    again = command(*sweep("arms")[2:])
    assert again.returncode == 0, again.stderr
    assert "[1/" not in again.stdout
    assert "results/arms: 30 ok" in again.stdout
