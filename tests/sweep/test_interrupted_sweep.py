"""A sweep that is stopped or killed, and what its children do."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import Command, environment
from scaling_study.launch.stop_signals import handled_by, sweep_stops

SWEEP = "scaling_study.sweep"


def start(tmp_path: Path, cache_dir: Path, *more: str) -> "subprocess.Popen[str]":
    arguments = ["+grid=smoke", "train.epochs=400", f"cache_dir={cache_dir}", *more]
    return warm_python.start(
        SWEEP, *arguments, cwd=tmp_path, env=environment(), start_new_session=True
    )


def wait_for_checkpoints(tmp_path: Path, count: int) -> list[Path]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = sorted(tmp_path.glob("results/runs/*/checkpoint.pt"))
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError("no checkpoint appeared")


def workers(tmp_path: Path) -> list[int]:
    files = tmp_path.glob("results/runs/*/job.json")
    return [json.loads(path.read_text(encoding="utf-8"))["pid"] for path in files]


def gone(pids: list[int], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_stops_the_children_and_says_how_to_continue(
    tmp_path: Path, cache_dir: Path, number: int
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests themselves run under nohup")
    sweep = start(tmp_path, cache_dir, "launcher.slots=2")
    wait_for_checkpoints(tmp_path, 2)
    pids = workers(tmp_path)
    os.killpg(sweep.pid, number)
    _, errors = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert "To continue: python -m scaling_study.sweep +grid=smoke train.epochs=400" in errors
    assert "Traceback" not in errors
    assert len(pids) == 2
    assert gone(pids)


def test_a_terminal_that_goes_away_does_not_stop_what_runs_under_nohup() -> None:
    with handled_by(signal.SIG_DFL, [signal.SIGHUP]):
        assert signal.SIGHUP in sweep_stops()
    with handled_by(signal.SIG_IGN, [signal.SIGHUP]):
        assert {*sweep_stops()} == {signal.SIGINT, signal.SIGTERM}


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_no_failure(tmp_path: Path, cache_dir: Path) -> None:
    sweep = start(tmp_path, cache_dir, "launcher.slots=3")
    wait_for_checkpoints(tmp_path, 3)
    os.killpg(sweep.pid, signal.SIGINT)
    os.killpg(sweep.pid, signal.SIGINT)
    _, errors = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert "stopped; nothing is lost. To continue: " in errors
    assert not list(tmp_path.glob("results/runs/*/result.json"))


@pytest.mark.slow
def test_children_of_a_killed_sweep_stop_too(tmp_path: Path, cache_dir: Path) -> None:
    sweep = start(tmp_path, cache_dir, "launcher.slots=2")
    wait_for_checkpoints(tmp_path, 2)
    pids = workers(tmp_path)
    sweep.kill()
    sweep.communicate()
    assert len(pids) == 2
    assert gone(pids)


@pytest.mark.slow
def test_a_killed_worker_is_that_runs_failure_alone(
    command: Command, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        "launcher.slots=1",
        "grid.axes.seed=[0,1]",
        "grid.axes.depth=[14]",
        "train.epochs=30",
        "checkpoint.every_s=0",
    )
    sweep = start(tmp_path, cache_dir, *arguments)
    killed = wait_for_checkpoints(tmp_path, 1)[0].parent
    os.kill(workers(tmp_path)[0], signal.SIGKILL)
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 1
    assert "1 failed" in output
    assert "1 ok" in output
    assert "killed by SIGKILL" in output
    assert "to retry: python -m scaling_study.sweep +grid=smoke" in output
    again = command(SWEEP, "+grid=smoke", *arguments)
    assert again.returncode == 0
    assert "[1/1]" in again.stdout
    assert "resuming at step" in (killed / "log.txt").read_text(encoding="utf-8")
