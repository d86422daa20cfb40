"""What is submitted to a real SLURM: arrays, classes, several nodes, limits."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from study import ENDLESS, LONG, TWO_NODES, Study, spans, until

pytestmark = pytest.mark.slurm


def at_once(times: list[tuple[float, float]]) -> int:
    """The most of these spans that overlap."""
    return max(sum(a <= begin < b for a, b in times) for begin, _ in times)


def test_arrays_are_split_and_throttled_and_nothing_is_submitted_twice(study: Study) -> None:
    first = study.sweep(
        "grid.axes.seed=[0,1,2,3]", "launcher.max_array=3", "launcher.max_running=1"
    )
    assert first.returncode == 0, first.stderr
    assert "4 queued" in first.stdout
    assert [len(s["runs"]) for s in study.submissions()] == [3, 1]
    script = next((study.folder / "results/smoke/jobs").glob("*_submission.sh")).read_text()
    assert "#SBATCH --requeue" in script
    again = study.sweep("grid.axes.seed=[0,1,2,3]")
    assert again.returncode == 0
    assert len(study.submissions()) == 2
    study.wait(ok=4)
    of_array = [(a, b) for a, b, job in spans(study, study.runs()) if "_" in job]
    assert len(of_array) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(of_array))
    log = next((study.folder / "results/smoke/jobs").glob("*_log.out")).read_text()
    assert " ok" in log


def test_classes_ask_for_what_their_runs_need(study: Study) -> None:
    held = ("launcher.lines=['--hold']", "grid.axes.seed=[0,1]")
    study.sweep(*held, "launcher.time_min=7", "launcher.gpus_per_run=1", "launcher.threads=2")
    study.sweep(
        *("launcher.lines=['--hold']", "grid.axes.seed=[2,3]", "launcher.time_min=100"),
        *("launcher.runs_per_job=2", "launcher.slots=2", "launcher.memory_gb_per_run=3"),
    )
    text = study.cluster.run("squeue", "-h", "-r", "-o", "%l|%m|%b|%c|%r")
    rows = Counter(line for line in text.splitlines())
    assert rows == {
        "7:00|2G|gres:gpu:1|2|JobHeldUser": 2,
        "1:40:00|8G|N/A|2|JobHeldUser": 1,
    }
    # A job that does not start says why, and cancel takes it back.
    status = study.status()
    assert status["reasons"] == {"JobHeldUser": 2}
    assert status["counts"]["queued"] == 2


def test_a_users_family_is_frozen_with_the_code(study: Study) -> None:
    family = study.folder / "mine" / "alike.py"
    family.parent.mkdir()
    family.write_text("from scaling_study.models.families.resnet import FAMILY\n")
    held = ("grid.axes.seed=[0]", "launcher.lines=['--hold']", "model.family=mine.alike")
    done = study.sweep(*held)
    assert done.returncode == 0, done.stderr
    family.write_text("raise RuntimeError('edited since')\n")
    study.cluster.run("scontrol", "release", study.submissions()[0]["job"])
    study.wait(ok=1)


def test_runs_packed_in_a_job_share_its_gpus(study: Study) -> None:
    packing = ("launcher.runs_per_job=3", "launcher.slots=2", "launcher.gpus_per_run=1")
    done = study.sweep("grid.axes.seed='range(6)'", *packing, "launcher.whole_node=true")
    assert "6 runs in 2 jobs" in done.stdout
    study.wait(ok=6)
    found = spans(study, study.runs())
    job = study.submissions()[0]["job"]
    by_job = {job: [(a, b) for a, b, j in found if j == job] for *_, job in found}
    assert [len(times) for times in by_job.values()] == [3, 3]
    assert all(at_once(times) == 2 for times in by_job.values())
    # The jobs had whole nodes, although they asked for two CPUs.
    had = study.cluster.run("squeue", "-h", "-r", "--states=all", f"-j{job}", "-o", "%C|%c")
    assert had.splitlines() == [f"{study.cluster.cpus}|2"] * 2


def test_a_run_on_several_nodes_trains_stops_and_goes_on_as_one(study: Study) -> None:
    study.sweep(*LONG, "train.epochs=60", *TWO_NODES, small=False)
    run = study.checkpoint()
    job = study.note(run)["job"]
    study.cluster.run("scancel", "--signal=USR2", job)
    study.wait(ok=1)
    assert json.loads((run / "result.json").read_text())["world_size"] == 2
    assert "resuming at step" in (run / "log.txt").read_text()
    note = study.note(run)
    assert (note["job"], note["restart"]) == (job, 1)
    assert [a["cause"] for a in note["attempts"]] == ["preempted"]
    logs = sorted(p.name for p in (study.folder / "results/smoke/jobs").glob("*_log.out"))
    assert [name.split("_")[1] for name in logs] == ["0", "1"]  # a process on each


def test_runs_on_several_nodes_have_limits(study: Study) -> None:
    limits = (*TWO_NODES, "launcher.timeout_min=0.3", "launcher.retry.timeout=0")
    study.sweep(*ENDLESS, *limits, small=False)
    status = study.wait(failed=1)
    assert status["causes"] == {"timeout": 1}
    assert (study.runs()[0] / "checkpoint.pt").exists()


def test_what_has_no_room_in_the_queue_waits_for_the_next_call(study: Study) -> None:
    limits = ("grid.axes.seed='range(4)'", "launcher.max_submit=3", "launcher.lines=['--hold']")
    first = study.sweep(*limits)
    assert first.returncode == 0, first.stderr
    assert "1 runs wait for room in the queue" in first.stdout
    assert "the same command submits the rest: python -m scaling_study.sweep" in first.stdout
    assert study.counts() == {"queued": 3, "planned": 1}
    assert len(study.queue()) == 3


def test_300_runs_take_few_calls(study: Study) -> None:
    many = ("grid.axes.seed='range(300)'", "launcher.runs_per_job=150", "launcher.slots=2")
    done = study.sweep(*many, "checkpoint.every_s=60", "checkpoint.keep=none")
    assert "300 runs in 2 jobs" in done.stdout
    calls = Counter(study.called())
    assert calls["sbatch"] == 1
    assert sum(calls.values()) <= 4
    before = len(study.called())
    study.status()
    assert len(study.called()) - before == 1
    study.sweep(*many)
    assert Counter(study.called())["sbatch"] == 1
    until(lambda: True if study.counts().get("ok", 0) >= 6 else None, "six results")
    before = len(study.called())
    assert study.run("cancel", "results/smoke").returncode == 0
    assert study.called()[before:] == ["squeue", "scancel"]  # one of each, however many jobs
    counts = study.counts()
    assert sum(counts.values()) == 300
    assert set(counts) <= {"ok", "failed", "planned"}
    study.until_queue_is_empty()
