"""A sweep whose runs learn from the labels that others give a pool of images."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.report.statement.facts import facts
from helpers.commands import Command
from helpers.study import read_plan
from scaling_study.study.table import read_study

FILE = """# @package _global_
defaults:
  - override /data: fractals_small
data: {resolution: 16, train_per_class: 8, val_per_class: 4}
model: {depth: 14, width: 0.125}
train: {epochs: 2, batch_size: 16, warmup_epochs: 0}
grid:
  name: taught
  parents:
    supervised: {}
  variants:
    independent:
      supervised: {}
      longer: {epochs: 4}
      pool: &pool {teacher: run(supervised), train.pseudo_share: 0.5, data.pool_images: 40}
      sure: {<<: *pool, train.pseudo_threshold: 0.2}
  axes:
    seed: [0, 1]
  rules:
    rules:
      pool:
        kind: levels
        along: variant
        levels: [pool, longer]
        claim: a pool is better than more epochs
"""


@pytest.mark.slow
def test_teachers_label_once_and_students_learn_from_it(
    sweep_here: Command, tmp_path: Path
) -> None:
    (tmp_path / "site/grid").mkdir(parents=True)
    (tmp_path / "site/grid/taught.yaml").write_text(FILE, encoding="utf-8")
    words = ("+grid=taught", f"hydra.searchpath=[file://{tmp_path}/site]", "launcher.slots=2")
    dry = sweep_here(*words, "dry_run=true")
    assert dry.returncode == 0, dry.stderr
    assert "8 runs: 4 planned, 4 blocked" in dry.stdout
    assert "labels of 2 pairs of teacher and pool, once each" in dry.stdout
    assert "pool; from supervised" in dry.stdout

    done = sweep_here(*words, "measure.at_end=false")
    assert done.returncode == 0, done.stderr
    assert "results/taught: 8 ok" in done.stdout
    files = sorted(tmp_path.glob("results/runs/*/pseudo_labels-*.npz"))
    plan = {row["run_id"]: row for row in read_plan(tmp_path / "results/taught")}
    assert {plan[file.parent.name]["variant"] for file in files} == {"supervised"}
    assert len(files) == 2
    assert json.loads(str(np.load(files[0])["about"]))["teacher"] == files[0].parent.name
    logs = [path.read_text("utf-8") for path in tmp_path.glob("results/runs/*/log.txt")]
    assert sum(text.count("labels 40 images of the pool") for text in logs) == 2
    study = read_study(tmp_path / "results/taught")
    taught = study.runs[study.runs["teacher"] == "run(supervised)"]
    assert set(taught["variant"]) == {"pool", "sure"}
    assert study.runs.groupby("config_id").size().tolist() == [2, 2, 2, 2]
    flops = study.runs.groupby("variant")["train_flops"].first()
    assert flops["pool"] == flops["sure"] == flops["longer"] == 2 * flops["supervised"]

    stored = sum(json.loads(str(np.load(file)["about"]))["flops"] for file in files)
    assert facts(tmp_path / "results/taught").label_flops == stored
    again = sweep_here(*words)
    assert "[1/" not in again.stdout
