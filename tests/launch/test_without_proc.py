"""Studies on machines without /proc, where processes are not forked: as macOS is, on this one."""

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.false_sysctl import answer_sysctl
from helpers.warm_python import run, start
from scaling_study.study.result import read_result

TESTS = Path(__file__).parents[1]
SWEEP = "scaling_study.sweep"
TWO = ("+grid=smoke", "grid.axes.depth=[14]", "measure.at_end=false")

pytestmark = pytest.mark.skipif(shutil.which("lsof") is None, reason="needs lsof")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    programs = tmp_path / "programs"
    programs.mkdir()
    answer_sysctl(programs, monkeypatch, "9A3F-BOOT")
    path = os.pathsep.join(map(str, (TESTS / "no_proc", TESTS.parent)))
    return environment() | {"PYTHONPATH": path}


@pytest.mark.slow
def test_a_study_is_watched_cancelled_and_finished(
    env: dict[str, str], tmp_path: Path, cache_dir: Path
) -> None:
    place, cache = {"cwd": tmp_path, "env": env}, f"cache_dir={cache_dir}"
    sweep = start(SWEEP, *TWO, "train.epochs=4000", cache, **place)
    end = time.monotonic() + 120
    while len([*tmp_path.glob("results/runs/*/checkpoint.pt")]) < 2:
        assert time.monotonic() < end
        assert sweep.poll() is None, sweep.communicate()
        time.sleep(0.2)
    seen = run("scaling_study.status", "results/smoke", "--json", **place)
    assert json.loads(seen.stdout)["counts"]["running"] == 2
    notes = [json.loads(p.read_text()) for p in tmp_path.glob("results/runs/*/job.json")]
    assert {note["where"] for note in notes} == {"9A3F-BOOT"}
    gone = run("scaling_study.cancel", "results/smoke", **place)
    assert (gone.returncode, gone.stderr) == (0, "")
    assert "cancelled 2 running and 0 queued runs" in gone.stdout
    _, errors = sweep.communicate(timeout=60)
    assert (sweep.returncode, "nothing is lost" in errors) == (130, True)
    done = run(SWEEP, *TWO, cache, **place)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [read_result(path) for path in tmp_path.glob("results/runs/*/result.json")]
    outcomes = Counter((result.status, result.cause) for result in found)
    assert outcomes == {("failed", "cancelled"): 2, ("ok", None): 2}


@pytest.mark.slow
def test_a_run_above_its_memory_is_killed_alone(
    env: dict[str, str], tmp_path: Path, cache_dir: Path
) -> None:
    limit = ("launcher.memory_gb=0.05", "grid.axes.seed=[0]", f"cache_dir={cache_dir}")
    done = run(SWEEP, *TWO, *limit, cwd=tmp_path, env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "GB resident, more than launcher.memory_gb=0.05" in done.stdout
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], check=False).returncode == 1
