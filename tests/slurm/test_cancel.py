"""Studies on a real SLURM that are cancelled."""

import json

import pytest

from study import ENDLESS, Study, until

pytestmark = pytest.mark.slurm


def test_cancel_stops_what_runs_and_what_waits_and_loses_nothing(study: Study) -> None:
    long = (*ENDLESS[:2], "grid.axes.seed=[0,1,2]")
    study.sweep(*long, "launcher.max_running=1", small=False)
    run = study.checkpoint()
    done = study.run("cancel", "results/smoke")
    assert done.returncode == 0, done.stderr
    assert "cancelled 1 running and 2 queued runs" in done.stdout
    status = study.status()
    assert {s: n for s, n in status["counts"].items() if n} == {"failed": 1, "planned": 2}
    assert status["causes"] == {"cancelled": 1}
    assert (run / "checkpoint.pt").exists()
    study.until_queue_is_empty()
    # The same command goes on where it was.
    study.sweep(*long, "launcher.lines=['--hold']", small=False)
    assert study.counts() == {"queued": 3}
    again = study.run("cancel", "results/smoke")
    assert "cancelled 0 running and 3 queued runs" in again.stdout
    assert (run / "checkpoint.pt").exists()


def test_scancel_behind_our_back_is_told(study: Study) -> None:
    study.sweep(*ENDLESS, small=False)
    run = study.checkpoint()
    study.cluster.run("scancel", study.note(run)["job"])
    until(lambda: study.note(run).get("ended"), "the end")
    study.until_queue_is_empty()
    status = study.status()
    assert [r["cause"] for r in status["runs"]] == ["cancelled"]
    study.sweep(*ENDLESS, "launcher.lines=['--hold']", small=False)
    assert json.loads((run / "result.json").read_text())["cause"] == "cancelled"
    assert study.counts() == {"queued": 1}


def test_cancel_stops_a_sweep_that_waits(study: Study) -> None:
    long = (*ENDLESS[:2], "grid.axes.seed=[0,1,2]")
    sweep = study.start(*long, "launcher.wait=true", "launcher.max_running=1")
    study.checkpoint()
    done = study.run("cancel", "results/smoke")
    assert "cancelled 1 running and 2 queued runs" in done.stdout, done.stderr
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "its jobs stay in the queue, and python -m scaling_study.cancel results/smoke" in errors
    assert len(study.submissions()) == 1
    study.until_queue_is_empty()


def test_a_sweep_that_waits_submits_nothing_again_that_was_cancelled(study: Study) -> None:
    held = ("grid.axes.seed=[0,1]", "launcher.wait=true", "launcher.lines=['--hold']")
    sweep = study.start(*held)
    until(lambda: True if len(study.queue()) == 2 else None, "the jobs")
    study.cluster.run("scancel", "--me")
    output, errors = sweep.communicate(timeout=120)
    assert (sweep.returncode, len(study.submissions())) == (1, 1), errors
    assert output.count("planned (cancelled)") == 2
