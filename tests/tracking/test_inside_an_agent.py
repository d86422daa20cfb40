"""Runs that are tracked inside an agent of W&B's, or a shell that names another run."""

from pathlib import Path

import pytest

from helpers.commands import Command, run_dirs


@pytest.mark.slow
def test_the_id_is_the_run_id_inside_an_agent_too(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "WANDB_SWEEP_ID": "abcd1234",
        "WANDB_RUN_ID": "zzz",
        "WANDB_RESUME": "allow",
        "WANDB_RUN_GROUP": "other",
    }.items():
        monkeypatch.setenv(name, value)
    small = ("train.epochs=1", "train.warmup_epochs=0", "data.train_per_class=8")
    axes = ("grid.axes.depth=[14]", "grid.axes.seed=[0]", "train.batch_size=8")
    done = command("scaling_study.sweep", "+grid=smoke", *small, *axes, "tracking=offline")
    assert done.returncode == 0, done.stderr
    (run_dir,) = run_dirs(tmp_path)
    (kept,) = (run_dir / "wandb").glob("offline-run-*")
    assert kept.name.endswith(f"-{run_dir.name}")
    (file,) = kept.glob("*.wandb")
    text = file.read_bytes()
    assert [word for word in (b"abcd1234", b"zzz", b"other") if word in text] == []
