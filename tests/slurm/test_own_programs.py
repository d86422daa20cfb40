"""Programs of the user's own as jobs of a real SLURM."""

import json
import subprocess

import pytest

from helpers import warm_python
from study import Study, until

pytestmark = pytest.mark.slurm

PROGRAM = """
import json, signal, sys, time
from pathlib import Path
import beside
out, width = Path(sys.argv[1]), int(sys.argv[2])
if width == 3:
    sys.exit("three is too wide")
if width == 2 and not (out / "checkpoint").exists():
    def stop(*_):
        (out / "checkpoint").touch()
        sys.exit(75)
    signal.signal(signal.SIGUSR1, stop)
    (out / "ready").touch()
    time.sleep(600)
(out / "outcome.json").write_text(json.dumps({"outcome": beside.ONE / width}))
"""
GRID = """# @package _global_
task: {name: command, command: 'python train.py {run_dir} {width} {seed}'}
grid: {name: smoke, axes: {width: [1, 2, 3], seed: [0]}}
"""


def swept(study: Study) -> "subprocess.CompletedProcess[str]":
    """The sweep as it is typed."""
    words = ("+grid=own", f"hydra.searchpath=[file://{study.folder}]", "launcher=slurm")
    more = ("launcher.allow_dirty=true", "launcher.fallback_memory_gb=1")
    environment = study.environment
    return warm_python.run("scaling_study.sweep", *words, *more, cwd=study.folder, env=environment)


def test_a_program_is_preempted_and_goes_on_and_another_fails_alone(study: Study) -> None:
    (study.folder / "train.py").write_text(PROGRAM, encoding="utf-8")
    (study.folder / "beside.py").write_text("ONE = 1.0\n", encoding="utf-8")
    (study.folder / "grid").mkdir()
    (study.folder / "grid" / "own.yaml").write_text(GRID, encoding="utf-8")
    done = swept(study)
    assert done.returncode == 0, done.stdout + done.stderr
    (ready,) = until(lambda: [*study.folder.glob("results/runs/*/ready")] or None, "a program")
    job = study.note(ready.parent)["job"]
    study.cluster.run("scancel", "--signal=USR2", job)  # the notice of a preemption
    study.wait(120, ok=2, failed=1)
    found = [json.loads(p.read_text()) for p in study.folder.glob("results/runs/*/result.json")]
    assert sorted((r["width"], r["outcome"]) for r in found) == [(1, 1.0), (2, 0.5), (3, None)]
    (log,) = study.folder.glob("results/runs/w3-*/log.txt")
    assert "three is too wide" in log.read_text()
    assert [a["cause"] for a in study.note(ready.parent)["attempts"]] == ["preempted"]
    assert len(study.submissions()) == 1
