"""Checkpoints: damaged, of another network or other processes, written while training goes on."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, same, stopped, trained, weights
from scaling_study.common.errors import InputError
from scaling_study.common.files import WriteError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.loop import train


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncated": content[:middle],
        "one byte": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
    }
    path.write_bytes(damaged[how])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "one byte", "gone"])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one(
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    whole, whole_dir = trained(tiny(), execution, "whole")
    run_dir = Path(execution.results_dir) / "broken"
    run_dir.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "due", lambda self: not self.busy)
        stopped(tiny(), run_dir, execution, monkeypatch, 10)
    latest = run_dir / "checkpoint.pt"
    earlier = torch.load(run_dir / "checkpoint.prev.pt", weights_only=True)["step"]
    assert 0 < earlier < 11
    latest.unlink() if how == "gone" else spoil(latest, how)
    capsys.readouterr()
    again = train(tiny(), run_dir, execution)
    said = capsys.readouterr().out
    assert f"resuming at step {earlier} of 16" in said
    assert ("warning: checkpoint.pt is" in said) == (how != "gone")
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))


@pytest.mark.slow
def test_a_damaged_checkpoint_never_becomes_the_previous_one(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = replace(execution, checkpoint_every_s=1e9)
    run_dir = Path(execution.results_dir) / "broken"
    run_dir.mkdir(parents=True)
    for step in (3, 6):
        stopped(tiny(), run_dir, execution, monkeypatch, step)
    spoil(run_dir / "checkpoint.pt", "truncated")
    stopped(tiny(), run_dir, execution, monkeypatch, 8)
    spoil(run_dir / "checkpoint.pt", "truncated")
    stopped(tiny(), run_dir, execution, monkeypatch, 10)
    assert torch.load(run_dir / "checkpoint.prev.pt", weights_only=True)["step"] == 4


def test_without_a_usable_checkpoint_the_run_starts_again(
    execution: ExecutionConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, run_dir = trained(tiny(), execution, "whole")
    shutil.copy(run_dir / "checkpoint.pt", run_dir / "checkpoint.prev.pt")
    for name in ("checkpoint.pt", "checkpoint.prev.pt"):
        spoil(run_dir / name, "truncated")
    capsys.readouterr()
    assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]
    latest, previous, *_ = said = capsys.readouterr().out.splitlines()
    assert latest.startswith("warning: checkpoint.pt is unreadable")
    assert latest.endswith("; falling back")
    assert previous.startswith("warning: checkpoint.prev.pt is unreadable")
    assert previous.endswith("; starting again")
    assert not any("resuming" in line for line in said)


@pytest.mark.slow
def test_a_checkpoint_of_another_network_starts_the_run_again(execution: ExecutionConfig) -> None:
    whole, run_dir = trained(tiny(), execution, "whole")
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    for damage in ({"step": 8, "model": {}}, {"ema": {"a": torch.zeros(1)}}):
        torch.save(state | damage, run_dir / "checkpoint.pt")
        assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]
    del state["loss"]
    torch.save(state, run_dir / "checkpoint.pt")
    assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]


def test_a_checkpoint_of_other_processes_is_refused_and_stays(execution: ExecutionConfig) -> None:
    _, run_dir = trained(tiny(), execution, "whole")
    path = run_dir / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"world_size": 4}, path)
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"4 process.*torchrun --nproc-per-node 4 .*or remove"):
        train(tiny(), run_dir, execution)
    assert path.read_bytes() == content


def test_a_checkpoint_holds_the_state_of_its_step_though_training_goes_on(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 0)
    weight, times = torch.zeros(1000, 1000), [0.1]
    state = {"model": {"w": weight}, "optimizer": [{"m": weight}], "step_times": times}
    checkpoints.save(state)
    weight += 1
    times.append(0.2)
    checkpoints.finish()
    checkpoints.close()
    stored = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert float(stored["model"]["w"].sum()) == float(stored["optimizer"][0]["m"].sum()) == 0
    assert stored["step_times"] == [0.1]


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "nowhere", 0)
    checkpoints.save({"step": 1})
    with pytest.raises(WriteError, match=r"checkpoint\.pt: cannot be written"):
        checkpoints.finish()
    checkpoints.close()
