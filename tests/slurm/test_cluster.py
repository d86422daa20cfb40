"""The launcher on a real SLURM that does its worst."""

import getpass
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from cluster import Cluster
from study import Study, until

pytestmark = pytest.mark.slurm

# Long enough to be interrupted: 10 to 20 s on a core.
LONG = ("train.epochs=120", "data.val_per_class=4", "grid.axes.seed=[0]")
# For runs whose end nobody waits for.
ENDLESS = ("train.epochs=20000", *LONG[1:])


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def study(cluster: Cluster, tmp_path: Path, images: Path) -> Iterator[Study]:
    """A study; what it leaves in the queue is cancelled."""
    study = Study(cluster, tmp_path, images)
    yield study
    for sweep in study.started:
        sweep.kill()
        sweep.communicate()
    cluster.run("scancel", "--me")
    study.until_queue_is_empty()
    for node in cluster.nodes:
        cluster.start_node(node)
        cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")


def spans(study: Study, runs: list[Path]) -> list[tuple[float, float, str]]:
    notes = [study.note(run) for run in runs]
    return sorted((note["began"], note["ended"], note["job"]) for note in notes)


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


def test_the_death_of_a_node_is_told_and_survived(study: Study) -> None:
    study.sweep(*LONG, small=False)
    run = study.checkpoint()
    node = study.note(run)["node"]
    study.cluster.kill_node(node)
    study.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")
    status = study.wait(ok=1)
    note = study.note(run)
    assert [a["cause"] for a in note["attempts"]] == ["node"]
    assert note["node"] != node
    assert status["runs"][0]["attempts"] == 1
    assert "resuming at step" in (run / "log.txt").read_text()


# What Python imports first on the broken node, by how that is broken: its GPU fails when a
# checkpoint is to be written, or is not there at all.
BREAKS = {
    "fails": """\
from concurrent.futures import ThreadPoolExecutor


def fail(*arguments):
    raise RuntimeError("CUDA error: uncorrectable ECC error encountered")


ThreadPoolExecutor.submit = fail
""",
    "hides": """\
import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""
""",
}
# The node where a job starts first is the broken one.
SETUP = """\
[ -e {folder}/broken ] || echo $SLURMD_NODENAME >{folder}/broken
[ $(cat {folder}/broken) != $SLURMD_NODENAME ] || export PYTHONPATH={folder}
"""


def break_first_node(study: Study, how: str) -> str:
    """The launcher's setting that breaks the node where a job starts first."""
    (study.folder / "sitecustomize.py").write_text(BREAKS[how])
    (study.folder / "setup.sh").write_text(SETUP.format(folder=study.folder))
    return f"launcher.setup=['. {study.folder}/setup.sh']"


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_node_stops_no_sweep(study: Study, how: str) -> None:
    setup = break_first_node(study, how)
    gpu = () if how == "fails" else ("launcher.gpus_per_run=1",)
    seeds = "grid.axes.seed='range(4)'"
    study.sweep(seeds, setup, "launcher.max_running=2", *gpu)
    status = study.wait(ok=4)
    broken = (study.folder / "broken").read_text().strip()
    attempts = [a for run in study.runs() for a in study.note(run)["attempts"]]
    assert {(a["cause"], a["node"]) for a in attempts} == {("node", broken)}
    assert {study.note(run)["node"] for run in study.runs()} == set(study.cluster.nodes) - {broken}
    assert (status["stopped"], len(study.submissions())) == (None, 1)


def test_a_broken_node_is_avoided_from_then_on(study: Study) -> None:
    setup = break_first_node(study, "fails")
    study.sweep("grid.axes.seed=[0]", setup)
    study.wait(ok=1)
    (run,) = study.runs()
    note, broken = study.note(run), (study.folder / "broken").read_text().strip()
    assert [(a["cause"], a["node"]) for a in note["attempts"]] == [("node", broken)]
    assert (note["node"] != broken, len(study.submissions())) == (True, 1)
    # What the person has excluded stays excluded; here nothing is left then.
    study.sweep("grid.axes.seed=[1]", setup, f"launcher.exclude={note['node']}")
    until(lambda: True if "n[1-2]" in study.cluster.run("squeue", "-ho%x") else None, "the requeue")
    assert sum(study.status()["reasons"].values()) == 1


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


def test_nodes_that_are_all_avoided_are_used_all_the_same(study: Study) -> None:
    one = "grid.axes.seed=[0]"
    study.sweep(one, "launcher.lines=['--hold']")
    study.run("cancel", "results/smoke")
    (run,) = study.runs()
    ended = {"job": "1", "ended": time.time(), "cause": "node"}
    attempts = [ended | {"node": node} for node in study.cluster.nodes]
    (run / "job.json").write_text(json.dumps({"attempts": attempts}))
    done = study.sweep(one)
    assert done.returncode == 0, done.stderr
    assert "avoiding n1" in done.stdout
    assert "no other node fits" in done.stdout
    study.wait(ok=1)


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
    # The nodes' names mean nothing to the resolver of this machine.
    setup = "launcher.setup=['export MASTER_ADDR=127.0.0.1']"
    study.sweep(*LONG, "train.epochs=60", "launcher.nodes=2", setup, small=False)
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
    setup = "launcher.setup=['export MASTER_ADDR=127.0.0.1']"
    several = ("grid.axes.seed=[0,1,2]", "launcher.nodes=2", setup)
    study.sweep(*several, "launcher.lines=['--hold']")
    study.run("cancel", "results/smoke")
    for run in study.runs():
        (run / "metrics.jsonl").mkdir()  # no line can be appended to a folder
    study.sweep(*several, "launcher.stop_after_same_error=2", "launcher.max_running=1")
    status = study.wait(failed=2, planned=1)
    assert status["causes"] == {"error": 2}
    assert "the first 2 runs failed with IsADirectoryError" in status["stopped"]


def test_runs_on_several_nodes_have_limits(study: Study) -> None:
    setup = "launcher.setup=['export MASTER_ADDR=127.0.0.1']"
    limits = ("launcher.nodes=2", "launcher.timeout_min=0.3", "launcher.retry.timeout=0", setup)
    study.sweep(*ENDLESS, *limits, small=False)
    status = study.wait(failed=1)
    assert status["causes"] == {"timeout": 1}
    assert (study.runs()[0] / "checkpoint.pt").exists()


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


def test_what_has_no_room_in_the_queue_waits_for_the_next_call(study: Study) -> None:
    limits = ("grid.axes.seed='range(4)'", "launcher.max_submit=3", "launcher.lines=['--hold']")
    first = study.sweep(*limits)
    assert first.returncode == 0, first.stderr
    assert "1 runs wait for room in the queue" in first.stdout
    assert "the same command submits the rest: python -m scaling_study.sweep" in first.stdout
    assert study.counts() == {"queued": 3, "planned": 1}
    assert len(study.queue()) == 3


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


def test_a_sweep_that_waits_submits_nothing_again_that_was_cancelled(study: Study) -> None:
    held = ("grid.axes.seed=[0,1]", "launcher.wait=true", "launcher.lines=['--hold']")
    sweep = study.start(*held)
    until(lambda: True if len(study.queue()) == 2 else None, "the jobs")
    study.cluster.run("scancel", "--me")
    output, errors = sweep.communicate(timeout=120)
    assert (sweep.returncode, len(study.submissions())) == (1, 1), errors
    assert output.count("planned (cancelled)") == 2


def test_the_sites_limit_of_submitted_jobs_leaves_the_rest_planned(study: Study) -> None:
    cluster, conf = study.cluster, Path(study.cluster.environment["SLURM_CONF"])
    before, user = conf.read_text(encoding="utf-8"), getpass.getuser()
    cluster.run("sacctmgr", "-i", "add", "account", "lab")
    cluster.run("sacctmgr", "-i", "add", "user", user, "account=lab")
    cluster.run("sacctmgr", "-i", "modify", "user", user, "set", "MaxSubmitJobs=3")
    try:
        cluster.stop_controller()
        enforced = f"{before}AccountingStorageEnforce=associations,limits\n"
        conf.write_text(enforced, encoding="utf-8")
        cluster.start_controller()
        done = study.sweep(
            *("grid.axes.seed='range(5)'", "launcher.account=lab", "launcher.lines=['--hold']")
        )
        assert done.returncode == 0, done.stderr
        assert "2 runs wait for room in the queue: launcher.max_submit, or the site" in done.stdout
        assert "SubmitJob" not in done.stderr
        assert study.counts() == {"queued": 3, "planned": 2}
        cluster.run("scancel", "--me")
        study.until_queue_is_empty()
    finally:
        cluster.stop_controller()
        conf.write_text(before, encoding="utf-8")
        cluster.start_controller()


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
    assert study.called()[before:] == ["scancel"]
    counts = study.counts()
    assert sum(counts.values()) == 300
    assert set(counts) <= {"ok", "failed", "planned"}
    study.until_queue_is_empty()
