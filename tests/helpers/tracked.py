"""A W&B server for tests, commands against it, and studies made without training."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.study import write_plan, write_run
from helpers.tiny import tiny
from helpers.wandb_server import KEY, Server, serving
from scaling_study.cost.closed_form import describe
from scaling_study.study.result import Result
from scaling_study.tracking.payload import rows_of

EPOCHS = 4


def finished_run(runs_dir: Path, seed: int) -> Result:
    """A run with one line an epoch, one within, the evaluation, a result."""
    run = tiny(seed=seed, **{"train.epochs": EPOCHS})
    measured = {"val_error": 0.25, "train_error": 0.125, "step_time_s": 0.01}
    result = Result(**describe(run), status="ok", **measured)
    rows = [{"step": 8 * e, "epoch": e, "loss": 2.0 / e, "lr": 0.1} for e in range(1, EPOCHS + 1)]
    rows.insert(1, {"step": 12, "epoch": 1.5, "loss": 1.5, "lr": 0.1})
    rows.append({"step": 8 * EPOCHS, "epoch": EPOCHS, "val_error": 0.25, "train_error": 0.125})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    run_dir = write_run(runs_dir, result, run)
    (run_dir / "metrics.jsonl").write_text(lines, encoding="utf-8")
    return result


def study(results_dir: Path, name: str, runs: int) -> Path:
    """A study of that many finished runs that differ in their seed."""
    results = [finished_run(results_dir / "runs", seed) for seed in range(runs)]
    write_plan(results_dir / name, [{"run_id": r.run_id, "epochs": EPOCHS} for r in results])
    return results_dir / name


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A W&B server that the client finds, with a key, in a home of its own."""
    with serving() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield running
    if (client := sys.modules.get("wandb")) is not None:
        client.teardown()  # in this process it would go on asking this server


def start(module: str, *arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    return warm_python.start(
        module, *arguments, cwd=cwd, env=environment(), stderr=subprocess.STDOUT
    )


def call(module: str, *arguments: str, cwd: Path) -> tuple[int, str]:
    done = warm_python.run(module, *arguments, cwd=cwd, env=environment())
    return done.returncode, done.stdout + done.stderr


def secrets_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


def logged(run_dir: Path) -> list[dict[str, Any]]:
    return [{"_step": number, **row} for number, row in rows_of(run_dir)]
