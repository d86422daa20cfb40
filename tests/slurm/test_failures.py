"""What fails on a real SLURM is told with its cause, and goes on where it can."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from study import ENDLESS, LONG, TWO_NODES, Study, until

pytestmark = pytest.mark.slurm
REQUEUES = {
    "usr2": ["scancel", "--signal=USR2", "{job}"],
    "requeue": ["scontrol", "requeue", "{job}"],
    "high": ["sbatch", "-p", "high", "--exclusive", "--wrap=sleep 3", "-o/dev/null", "-N2"],
}
REQUEUES["grace"] = REQUEUES["high"]  # of a job that gets a notice first


@pytest.mark.parametrize("how", REQUEUES)
def test_a_requeued_run_continues_in_its_folder(study: Study, how: str) -> None:
    partition = "grace" if how == "grace" else "main"
    long = LONG if how == "usr2" else ENDLESS
    study.sweep(*long, f"launcher.partition={partition}", small=False)
    run = study.checkpoint()
    job = study.note(run)["job"]
    said = study.cluster.run(*(part.format(job=job) for part in REQUEUES[how]))
    assert "error" not in said
    until(lambda: study.note(run).get("ended") or study.note(run).get("queued"), "the stop")
    assert not (run / "result.json").exists()
    until(lambda: True if "resuming at step" in (run / "log.txt").read_text() else None, "the end")
    note = study.note(run)
    assert (note["job"], note["restart"]) == (job, 1)
    assert [a["cause"] for a in note["attempts"]] == ["preempted"]
    assert len(study.submissions()) == 1
    if how == "usr2":
        study.wait(ok=1)


def test_a_time_limit_is_a_timeout_and_the_run_goes_on(study: Study) -> None:
    study.sweep(*ENDLESS, "launcher.notice_s=60", small=False)
    run = study.checkpoint()
    job = study.note(run)["job"]
    end = datetime.now() + timedelta(seconds=45)
    study.cluster.run("scontrol", "update", f"JobId={job}", f"EndTime={end:%Y-%m-%dT%H:%M:%S}")
    attempt = until(lambda: next(iter(study.note(run)["attempts"]), None), "the limit")
    assert attempt["cause"] == "timeout"
    assert study.counts() in ({"queued": 1}, {"running": 1})
    assert not (run / "result.json").exists()


def test_a_job_killed_for_memory_is_told_and_gets_more(study: Study) -> None:
    study.sweep("grid.axes.seed=[0]", "launcher.lines=['--mem=100M']")
    status = study.wait(failed=1)
    assert status["causes"] == {"host_memory": 1}
    assert "memory ran out" in status["runs"][0]["error"]
    done = study.sweep("grid.axes.seed=[0]")
    (run,) = study.runs()
    assert [a["cause"] for a in study.note(run)["attempts"]] == ["host_memory"]
    assert re.search(r"1 runs in 1 jobs of \d+ min, 3 GB", done.stdout)  # 2 x 1 GB and the pool
    study.wait(ok=1)


def test_what_became_of_a_forgotten_job_accounting_tells_later(study: Study) -> None:
    def forgotten() -> bool | None:
        return True if not study.cluster.run("squeue", "-h", "--states=all").strip() else None

    study.cluster.forget_after(2)
    try:
        study.sweep("grid.axes.seed=[0]", "launcher.lines=['--mem=100M']")
        until(forgotten, "that squeue forgets the job")
        study.cluster.kill_slurmdbd()
        status = study.status()
        assert (status["scheduler"], status["counts"]["queued"]) == ("silent", 1)
        assert "1 queued" in study.sweep("grid.axes.seed=[0]").stdout
        assert len(study.submissions()) == 1
        study.cluster.start_slurmdbd()
        status = study.wait(failed=1)
        assert (status["scheduler"], status["causes"]) == ("answered", {"host_memory": 1})
        assert "3 GB" in study.sweep("grid.axes.seed=[0]").stdout
    finally:
        study.cluster.start_slurmdbd()
        study.cluster.forget_after(3600)
    study.wait(ok=1)


def test_what_cannot_start_says_why(study: Study) -> None:
    one = "grid.axes.seed=[0]"
    refused = study.sweep(one, "launcher.constraint=h100")
    assert (refused.returncode, study.queue()) == (2, [])
    assert "Invalid feature specification" in refused.stderr
    study.sweep(one, "launcher.setup=['echo no such module; exit 3']")
    (run,) = study.wait(failed=1)["runs"]
    assert run["error"].endswith("no such module")
    assert run["log_tail"] == ["no such module"]
    study.sweep(one, "launcher.python=/none/python")
    (run,) = until(lambda: r if (r := study.status()["runs"])[0]["state"] == "failed" else None, "")
    assert "/none/python: No such file or directory" in run["error"]
    for node in study.cluster.nodes:
        study.cluster.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=mice")
    study.sweep(one)
    (reason,) = until(lambda: study.status()["reasons"] or None, "a reason")
    assert "ReqNodeNotAvail" in reason or "DRAINED" in reason


def test_the_same_error_stops_the_sweep(study: Study) -> None:
    seeds = "grid.axes.seed='range(5)'"
    study.sweep(seeds, "launcher.lines=['--hold']")
    study.run("cancel", "results/smoke")
    for run in study.runs():
        (run / "metrics.jsonl").mkdir()  # no line can be appended to a folder
    study.sweep(seeds, "launcher.stop_after_same_error=2", "launcher.max_running=1")
    # SLURM says at once what became of the tasks that waited.
    status = study.wait(60, failed=2, planned=3)
    assert status["causes"] == {"error": 2}
    assert "the first 2 runs failed with IsADirectoryError" in status["stopped"]
    assert "IsADirectoryError" in status["runs"][0]["log_tail"][-1] or status["runs"][0]["error"]
    failed = [Path(r["log"]) for r in status["runs"] if r["state"] == "failed"]
    trace = (study.folder / failed[0]).read_text()
    assert "/results/snapshots/" in trace  # the frozen code ran


def test_the_same_error_stops_runs_on_several_nodes_as_well(study: Study) -> None:
    several = ("grid.axes.seed=[0,1,2]", *TWO_NODES)
    study.sweep(*several, "launcher.lines=['--hold']")
    study.run("cancel", "results/smoke")
    for run in study.runs():
        (run / "metrics.jsonl").mkdir()  # no line can be appended to a folder
    study.sweep(*several, "launcher.stop_after_same_error=2", "launcher.max_running=1")
    status = study.wait(failed=2, planned=1)
    assert status["causes"] == {"error": 2}
    assert "the first 2 runs failed with IsADirectoryError" in status["stopped"]


def test_the_controller_and_accounting_may_die(study: Study) -> None:
    study.sweep(*LONG, small=False)
    run = study.checkpoint()
    study.cluster.stop_controller()
    study.cluster.kill_slurmdbd()
    try:
        assert study.status()["counts"]["running"] == 1
        jobs = study.folder / "results/smoke/jobs"
        until(lambda: next(jobs.glob("*_result.pkl"), None), "the end of the job's call")
        (run / "result.json").unlink()  # as if the file system had lost it
    finally:
        study.cluster.start_slurmdbd()
        study.cluster.start_controller()
    study.sweep(*LONG, small=False)
    study.wait(ok=1)


def test_nobody_submits_while_the_scheduler_is_silent(study: Study) -> None:
    held = ("grid.axes.seed=[0,1]", "launcher.lines=['--hold']")
    study.sweep(*held)
    study.cluster.stop_controller()
    study.impatient()
    try:
        status = study.status()
        assert (status["scheduler"], status["counts"]["queued"]) == ("silent", 2)
        again = study.sweep(*held)
        assert "2 queued" in again.stdout
        assert again.returncode == 0
    finally:
        study.cluster.start_controller()
    assert len(study.submissions()) == 1
