"""Runs that are trained or stopped, and what they leave."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from scaling_study.common import stop_request
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.training import loop
from scaling_study.training.loop import train

MEASURED = ("val_error", "val_loss", "train_error")


def trained(
    run: RunConfig, execution: ExecutionConfig, name: str
) -> tuple[dict[str, object], Path]:
    run_dir = Path(execution.results_dir) / name
    run_dir.mkdir(parents=True)
    return train(run, run_dir, execution), run_dir


def lines(run_dir: Path) -> list[dict[str, float]]:
    """The records of a run, without what depends on how fast it was."""
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in record.items() if k != "images_per_s"} for record in records]


def weights(run_dir: Path, file: str = "checkpoint.pt") -> dict[str, torch.Tensor]:
    state = torch.load(run_dir / file, weights_only=True)
    return {f"{part}.{k}": v for part in ("model", "ema") for k, v in state[part].items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ask the trainer to stop in the middle of this 0-based step."""
    rate = loop.learning_rate

    def asking(now: int, *arguments: Any) -> float:
        if now == step:
            stop_request.request("interrupted")
        return rate(now, *arguments)

    monkeypatch.setattr(loop, "learning_rate", asking)


def stopped(
    run: RunConfig,
    run_dir: Path,
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """Train `run` until it has stopped behind 0-based `step`."""
    with monkeypatch.context() as patch:
        stop_at(patch, step)
        with pytest.raises(stop_request.Stopped) as raised:
            train(run, run_dir, execution)
    stop_request.clear()
    assert raised.value.reason == "interrupted"
    assert torch.load(run_dir / "checkpoint.pt", weights_only=True)["step"] == step + 1
