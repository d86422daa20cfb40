"""A sweep whose lengths share trunks: what it shows, killed and continued, and what it trains."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from helpers.commands import Command
from helpers.killed_sweep import kill_once_there
from helpers.study import read_plan
from helpers.tiny import plain_execution
from scaling_study.config.run import stored_run
from scaling_study.study.table import read_study
from scaling_study.training.loop import train

FILE = """# @package _global_
defaults:
  - override /data: fractals_small
data: {resolution: 16, train_per_class: 8, val_per_class: 4}
model: {depth: 14, width: 0.125}
train: {schedule: wsd, batch_size: 16, warmup_epochs: 0}
checkpoint: {every_s: 0}
grid:
  name: lengths
  axes:
    epochs: [4, 8]
    seed: [0]
  one_trunk:
    anchors: [{epochs: 4}, {epochs: 8}]
    margin: 0.5
"""


MORE = ("grid.axes.epochs=[4,8,12]", "grid.one_trunk.anchors=[{epochs: 4}, {epochs: 12}]")


@pytest.fixture
def lengths(tmp_path: Path) -> tuple[str, ...]:
    """The arguments of a sweep over this grid."""
    (tmp_path / "site/grid").mkdir(parents=True)
    (tmp_path / "site/grid/lengths.yaml").write_text(FILE, encoding="utf-8")
    return ("+grid=lengths", f"hydra.searchpath=[file://{tmp_path}/site]")


def test_the_dry_run_says_what_trunks_save_and_what_anchors_can_show(
    lengths: tuple[str, ...], sweep_here: Command, tmp_path: Path
) -> None:
    lengths = (*lengths, *MORE, "grid.axes.seed=[0,1]")
    done = sweep_here(*lengths, "dry_run=true", "plan.out=plan.csv")
    assert done.returncode == 0, done.stderr
    assert "10 runs: 6 planned, 4 blocked" in done.stdout
    # 0.8 x 12 + 0.2 x 24 = 14.4 of 24 epochs, and 4 + 12.
    assert "6 runs of several lengths train 40 % less than each alone" in done.stdout
    assert "4 runs by cosine, the anchors, add 67 %" in done.stdout
    assert "verdicts need that cosine agrees within 50 % at 2 anchors; with 2 seeds" in done.stdout
    plan = read_plan(tmp_path)
    own = sum(float(row["train_flops"]) - float(row["shared_flops"] or 0) for row in plan)
    assert f"{own:.3g} training FLOPs to do" in done.stdout
    assert len({row["trunk"] for row in plan if row["trunk"]}) == 1
    refused = sweep_here(*lengths, f"budget.train_flops={own / 2}", "budget.fit=true")
    assert refused.returncode == 2
    assert "the anchors of grid.one_trunk are for a whole grid" in refused.stderr
    assert sweep_here(*lengths, f"budget.train_flops={own * 1.01}", "dry_run=true").returncode == 0


@pytest.mark.slow
def test_a_killed_sweep_ends_with_what_each_length_is_alone(
    lengths: tuple[str, ...], sweep_here: Command, tmp_path: Path, cache_dir: Path
) -> None:
    words = [*lengths, f"cache_dir={cache_dir}", "launcher.slots=2", "measure.at_end=false"]
    kill_once_there(words, tmp_path, "results/runs/*/trunk.pt")
    done = sweep_here(*lengths, "launcher.slots=2", "measure.at_end=false")
    assert done.returncode == 0, done.stderr
    assert "results/lengths: 4 ok" in done.stdout

    plan = {row["run_id"]: row for row in read_plan(tmp_path / "results/lengths")}
    study = read_study(tmp_path / "results/lengths")
    assert len(study.runs) == 4
    folders = {run: tmp_path / "results/runs" / run for run in plan}
    results = {
        run: json.loads((folder / "result.json").read_text()) for run, folder in folders.items()
    }
    for run, row in plan.items():
        assert float(row["shared_flops"] or 0) == (results[run]["shared_flops"] or 0)
    longest = next(run for run, row in plan.items() if row["epochs"] == "8" and row["trunk"])
    found = stored_run(yaml.safe_load((folders[longest] / "config.yaml").read_text()))
    assert found.trunk is not None
    assert found.trunk.run == plan[longest]["parents"]
    alone = replace(found, trunk=None)
    assert alone.run_id == longest
    (tmp_path / "alone").mkdir()
    measured = train(alone, tmp_path / "alone", plain_execution(tmp_path, cache_dir))
    for name in ("val_error", "val_loss", "train_error"):
        assert measured[name] == results[longest][name]

    # A longer one goes on from the longest, whose trunk was kept; without it that is said.
    planned = sweep_here(*lengths, *MORE, "dry_run=true")
    assert "5 runs: 3 ok, 1 ready, 1 planned" in planned.stdout, planned.stderr
    (folders[longest] / "trunk.pt").unlink()
    refused = sweep_here(*lengths, *MORE, "dry_run=true")
    assert refused.returncode == 2
    assert (
        f"{longest}: runs of this grid start from it, and its trunk was not kept" in refused.stderr
    )
