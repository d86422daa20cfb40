"""Sweeps that wait for a real SLURM."""

import signal
from collections import Counter

import pytest

from study import ENDLESS, Study

pytestmark = pytest.mark.slurm


def test_waiting_shows_results_and_tries_again(study: Study) -> None:
    # The first job dies before Python starts.
    setup = f"[ -e {study.folder}/once ] || {{ touch {study.folder}/once; exit 3; }}"
    done = study.sweep(
        *("grid.axes.seed=[0,1]", "launcher.wait=true", "launcher.runs_per_job=2"),
        *("launcher.retry.error=1", f"launcher.setup=['{setup}']"),
    )
    assert done.returncode == 0, done.stderr
    assert "[2/2]" in done.stdout
    assert "results/smoke: 2 ok" in done.stdout
    assert len(study.submissions()) == 2


def test_waiting_tops_up_the_queue_with_few_calls(study: Study) -> None:
    limits = ("grid.axes.seed='range(4)'", "launcher.wait=true", "launcher.max_submit=2")
    done = study.sweep(*limits)
    assert done.returncode == 0, done.stderr
    assert "results/smoke: 4 ok" in done.stdout
    assert done.stdout.count("2 runs wait for room in the queue") == 1
    calls = Counter(study.called())
    assert (calls["sbatch"], calls["scontrol"]) == (len(study.submissions()), 1)
    assert len({s["snapshot"] for s in study.submissions()}) == 1
    assert calls["squeue"] <= 2 * (1 + calls["sbatch"]) + 2


def test_ctrl_c_ends_the_waiting_and_leaves_the_jobs(study: Study) -> None:
    sweep = study.start(*ENDLESS[:2], "grid.axes.seed=[0,1]", "launcher.wait=true")
    study.checkpoint()
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "its jobs stay in the queue, and python -m scaling_study.cancel results/smoke" in errors
    assert len(study.queue()) == 2
    assert study.run("cancel", "results/smoke").returncode == 0
    study.until_queue_is_empty()
