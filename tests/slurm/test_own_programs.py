"""Programs of the user's own as jobs of a real SLURM."""

import json
from typing import Any

import pytest

from helpers import warm_python
from study import Study, until

pytestmark = pytest.mark.slurm

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
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
told = {"outcome": 1 / width, "measures": {"job": int(os.environ["SLURM_JOB_ID"])}}
(out / "outcome.json").write_text(json.dumps(told))
"""
GRID = """# @package _global_
task: {name: command, command: 'python train.py {run_dir} {width} {seed}'}
grid: {name: smoke, axes: {width: [1, 2, 3], seed: [0]}}
"""


def swept(study: Study) -> "Any":
    """The sweep as it is typed: the first time, and to go on."""
    here = study.folder
    (here / "train.py").write_text(PROGRAM, encoding="utf-8")
    (here / "grid").mkdir(exist_ok=True)
    (here / "grid" / "own.yaml").write_text(GRID, encoding="utf-8")
    words = ("+grid=own", f"hydra.searchpath=[file://{here}]", "launcher=slurm")
    more = ("launcher.allow_dirty=true", "launcher.fallback_memory_gb=1")
    done = warm_python.run("scaling_study.sweep", *words, *more, cwd=here, env=study.environment)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done


def test_programs_are_submitted_preempted_and_go_on_or_fail_alone(study: Study) -> None:
    swept(study)
    until(lambda: [*study.folder.glob("results/runs/*/ready")] or None, "a program at work")
    (ready,) = study.folder.glob("results/runs/*/ready")
    job = study.note(ready.parent)["job"]
    study.cluster.run("scancel", "--signal=USR1", "--full", str(job).split("+")[0])
    until(lambda: (ready.parent / "checkpoint").exists() or None, "a checkpoint")
    study.until_queue_is_empty()
    counts = study.counts()
    if counts != {"ok": 2, "failed": 1}:  # it was stopped and not requeued
        swept(study)
        study.until_queue_is_empty()
    found = [json.loads(p.read_text()) for p in study.folder.glob("results/runs/*/result.json")]
    assert sorted((r["width"], r["status"], r["outcome"]) for r in found) == [
        (1, "ok", 1.0),
        (2, "ok", 0.5),
        (3, "failed", None),
    ]
    (failed,) = (r for r in found if r["status"] == "failed")
    assert "three is too wide" in failed["error"]
