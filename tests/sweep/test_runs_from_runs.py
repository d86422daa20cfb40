"""A sweep whose runs start from others: killed and continued, repeated, and what it shows."""

from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.killed_sweep import kill_once_there
from helpers.study import read_plan
from scaling_study.study.table import read_study

FILE = """# @package _global_
defaults:
  - override /data: fractals_small
data: {resolution: 16, train_per_class: 8, val_per_class: 4}
model: {depth: 14, width: 0.125}
train: {epochs: 1, batch_size: 16, warmup_epochs: 0}
checkpoint: {every_s: 0}
grid:
  name: family
  parents:
    before: {data.classes: 6, epochs: 15}
  axes:
    init: [none, run(before)]
    epochs: [1, 2]
    seed: [0, 1]
"""


@pytest.fixture
def family(tmp_path: Path) -> tuple[str, ...]:
    """The arguments of a sweep over this grid."""
    (tmp_path / "site/grid").mkdir(parents=True)
    (tmp_path / "site/grid/family.yaml").write_text(FILE, encoding="utf-8")
    return ("+grid=family", f"hydra.searchpath=[file://{tmp_path}/site]")


def test_what_a_parent_that_diverged_blocks_is_not_to_be_tried_again(
    family: tuple[str, ...], sweep_here: Command, tmp_path: Path
) -> None:
    few = (*family, "grid.axes.epochs=[1]", "grid.axes.seed=[0]")
    done = sweep_here(*few, "+grid.parents.before={train.lr_per_256: 1.0e30}")
    assert done.returncode == 1, done.stderr
    parent, _, child = read_plan(tmp_path / "results/family")
    assert (parent["state"], child["state"]) == ("diverged", "blocked")
    assert f"1 runs stay blocked: that {parent['run_id']} diverged is its result" in done.stdout
    assert "to retry" not in done.stdout


@pytest.mark.slow
def test_a_parent_that_is_written_out_is_the_one_that_has_a_name(
    family: tuple[str, ...], sweep_here: Command
) -> None:
    few = (*family, "grid.axes.epochs=[1]", "grid.axes.seed=[0]")
    done = sweep_here(*few)
    assert done.returncode == 0, done.stderr
    written = "grid.axes.init=[none,'run(data.classes=6, epochs=15)']"
    again = sweep_here(*few, "grid.parents=null", written)
    assert again.returncode == 0, again.stderr
    assert "data.classes=6, epochs=15, which others start from" in again.stdout
    assert "3 runs: 3 ok" in again.stdout


def states(tmp_path: Path) -> list[str]:
    return [row["state"] for row in read_plan(tmp_path / "results/family")]


def test_the_plan_has_parents_and_counts_what_they_cost(
    family: tuple[str, ...], sweep_here: Command, tmp_path: Path
) -> None:
    done = sweep_here(*family, "dry_run=true", "plan.out=plan.csv")
    assert done.returncode == 0, done.stderr
    assert "10 runs: 6 planned, 4 blocked" in done.stdout
    assert "before, which others start from" in done.stdout
    plan = read_plan(tmp_path)
    parents = {row["run_id"] for row in plan if row["stage"] == "before"}
    children = [row for row in plan if row["parents"]]
    assert {row["parents"] for row in children} == parents
    assert {row["init"] for row in children} == {"run(before)"}
    flops = sum(float(row["train_flops"]) for row in plan)
    assert f"{flops:.3g} training FLOPs to do" in done.stdout
    cells = sum(float(row["train_flops"]) for row in plan if not row["stage"])
    refused = sweep_here(*family, f"budget.train_flops={cells}")
    assert refused.returncode == 2
    assert "nothing is started" in refused.stderr


@pytest.mark.slow
def test_weights_that_would_not_be_kept_are_refused(
    family: tuple[str, ...], sweep_here: Command
) -> None:
    done = sweep_here(*family, "checkpoint.keep=none")
    assert done.returncode == 2
    assert "checkpoint.keep=none: runs of this grid start from the weights of others" in done.stderr


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_trains_each_parent_once(
    family: tuple[str, ...], sweep_here: Command, tmp_path: Path, cache_dir: Path
) -> None:
    words = [*family, f"cache_dir={cache_dir}", "launcher.slots=2", "measure.at_end=false"]
    kill_once_there(words, tmp_path, "results/runs/*/checkpoint.pt")
    assert "blocked" in states(tmp_path)

    done = sweep_here(*family, "launcher.slots=2")
    assert done.returncode == 0, done.stderr
    assert "results/family: 10 ok" in done.stdout
    assert set(states(tmp_path)) == {"ok"}
    results = sorted(tmp_path.glob("results/runs/*/result.json"))
    written = [path.stat().st_mtime_ns for path in results]
    again = sweep_here(*family)
    assert "[1/" not in again.stdout
    assert written == [path.stat().st_mtime_ns for path in results]
    # One more seed: one more parent, and the two that there are stay.
    more = sweep_here(*family, "grid.axes.seed=[0,1,2]", "dry_run=true")
    assert "15 runs: 10 ok, 3 planned, 2 blocked" in more.stdout

    study = read_study(tmp_path / "results/family")
    assert len(study.runs) == len(study.plan) == 8
    assert set(study.runs["init"]) == {"none", "run(before)"}
    assert study.runs.groupby("config_id").size().tolist() == [2, 2, 2, 2]

    lost = next(row["run_id"] for row in read_plan(tmp_path / "results/family") if row["stage"])
    (tmp_path / "results/runs" / lost / "checkpoint.pt").unlink()
    assert sweep_here(*family).returncode == 0  # nobody needs it any more
    refused = sweep_here(*family, "grid.axes.epochs=[1,2,3]")
    assert refused.returncode == 2
    assert f"{lost}: runs of this grid start from it, and its checkpoint was not" in refused.stderr
