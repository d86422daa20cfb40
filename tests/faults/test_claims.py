"""Who works on a run: other namespaces, stalls, late notes, and notes that are lies."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.tiny import tiny
from scaling_study.cancel import cancel
from scaling_study.common import processes
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.closed_form import describe
from scaling_study.launch.job import Job, record_failure
from scaling_study.study import claims, liveness
from scaling_study.study.claims import LostClaimError
from scaling_study.study.result import Result
from scaling_study.study.store import Store

RUN = tiny()
HOLD = """import sys, time
from pathlib import Path
from scaling_study.study.store import Store
with Store(Path(sys.argv[1])).claim(sys.argv[2]) as claim:
    print("mine" if claim else "another's", flush=True)
    time.sleep(float(sys.argv[3]))"""


@pytest.fixture
def job(execution: ExecutionConfig) -> Job:
    return Job(RUN, execution)


def note_of(job: Job) -> Path:
    return job.store.run_dir(job.run.run_id) / "job.json"


def in_a_namespace_of_its_own(results: Path, seconds: float) -> "subprocess.Popen[str]":
    """A claim by a process that numbers processes anew, as in a container on the same host."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("no namespaces of processes can be made here")
    words = [sys.executable, "-c", HOLD, str(results), RUN.run_id, str(seconds)]
    return subprocess.Popen([*apart, *words], env=environment(), stdout=subprocess.PIPE, text=True)


def test_a_claim_of_another_namespace_holds(execution: ExecutionConfig) -> None:
    results = Path(execution.results_dir)
    with in_a_namespace_of_its_own(results, 60) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        store = Store(results)
        assert store.state(RUN.run_id) == "running"
        with store.claim(RUN.run_id) as mine:
            assert mine is None
        with in_a_namespace_of_its_own(results, 0) as third:
            assert third.communicate(timeout=60)[0] == "another's\n"
        holder.kill()


def stale(job: Job, **changes: object) -> None:
    """The run's note as one of a worker elsewhere that has not given a sign for minutes."""
    path = note_of(job)
    note = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(note | {"where": "elsewhere"} | changes), encoding="utf-8")
    os.utime(path, (0, time.time() - 130))


def test_a_worker_that_was_taken_for_dead_writes_nothing_any_more(job: Job) -> None:
    store = job.store
    with store.claim(RUN.run_id) as mine:
        assert mine is not None
        stale(job)
        with store.claim(RUN.run_id) as others:
            assert others is not None
            done = Result(**describe(RUN), status="ok", val_error=0.5)
            assert store.record(RUN.run_id, done, others)
            assert not mine.holds
            with pytest.raises(LostClaimError):
                job.write_failure("woke up", "error", mine)
            with pytest.raises(LostClaimError):
                mine.require()
        ended = json.loads(note_of(job).read_text(encoding="utf-8"))["ended"]
    assert store.state(RUN.run_id) == "ok"
    # Its own end is not noted in the other's note.
    assert json.loads(note_of(job).read_text(encoding="utf-8"))["ended"] == ended


def test_a_stalled_run_ends_without_checkpoint_and_result(execution: ExecutionConfig) -> None:
    """Another process takes the run over while this one is between two steps."""
    job = Job(tiny(**{"train.epochs": 3000}), execution)
    run_id, folder, done = job.run.run_id, job.store.run_dir(job.run.run_id), threading.Event()

    def take_over() -> None:
        while not (folder / "checkpoint.pt").exists():
            time.sleep(0.01)
        stale(job)
        with job.store.claim(run_id) as others:
            assert others is not None
            done.wait(60)

    other = threading.Thread(target=take_over)
    other.start()
    outcome = job()
    written = (folder / "checkpoint.pt").stat().st_mtime_ns
    assert outcome.status == "running"
    done.set()
    other.join()
    assert job.store.state(run_id) == "planned"
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == written
    assert not (folder / "result.json").exists()


def test_a_finished_result_is_final(job: Job) -> None:
    done = Result(**describe(RUN), status="ok", val_error=0.5)
    assert job.store.record(RUN.run_id, done)
    job.write_failure("too late", "error")
    record_failure(job.store, RUN, "too late as well", "node")
    assert job.store.state(RUN.run_id) == "ok"


def test_a_late_note_ends_no_claim_of_another(job: Job) -> None:
    with job.store.claim(RUN.run_id):
        job.store.end(RUN.run_id, "node")
        record_failure(job.store, RUN, "its job is gone", "node")
        assert job.store.state(RUN.run_id) == "running"
        assert "ended" not in json.loads(note_of(job).read_text(encoding="utf-8"))


def test_a_heart_outlives_an_error_and_ends_with_the_claim(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.02)
    lost, path = threading.Event(), note_of(job)
    with job.store.claim(RUN.run_id, lost.set):
        text = path.read_text(encoding="utf-8")
        path.unlink()  # a disk that is away for a moment
        time.sleep(0.2)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (0, 0))
        end = time.monotonic() + 60
        while path.stat().st_mtime < time.time() - 60:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not lost.is_set()
        path.write_text(text.replace('"token": "', '"token": "x'), encoding="utf-8")
        assert lost.wait(60)


@pytest.mark.parametrize("skew_s", [300.0, -300.0])
def test_clocks_that_differ_do_not_kill(
    job: Job, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    """The heartbeat's age is that on its own disk."""
    with job.store.claim(RUN.run_id):
        stale(job)
        os.utime(note_of(job))
        here = time.time
        monkeypatch.setattr(liveness.time, "time", lambda: here() + skew_s)
        assert job.store.state(RUN.run_id) == "running"
        monkeypatch.undo()
    assert not [*note_of(job).parent.glob(".clock*")]


@pytest.mark.parametrize("pid", [0, -5, 1, True, "7", 2**70, None])
def test_a_note_names_no_process_unless_all_of_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: object
) -> None:
    note: dict[str, object] = {**claims.claim_of_this_process()}
    monkeypatch.setattr(liveness, "OURS", (b"py",))  # of which no test's command line is
    with liveness.holding(tmp_path):
        assert liveness.process_in(note, tmp_path) == os.getpid()
        assert liveness.process_in(note, tmp_path.parent) is None
        assert liveness.process_in(note | {"pid": pid}, tmp_path) is None
        assert liveness.process_in(note | {"started": "1"}, tmp_path) is None
        assert liveness.process_in(note | {"where": "elsewhere"}, tmp_path) is None
        assert liveness.process_in(note | {"ended": 1.0}, tmp_path) is None
    assert liveness.process_in(note, tmp_path) is None


def test_cancel_signals_no_process_that_is_not_the_studys(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling_study.cancel.PATIENCE_S", 0)
    job = Job(RUN, execution)
    study = Path(execution.results_dir) / "study"
    study.mkdir(parents=True)
    (study / "plan.csv").write_text(f"run_id,epochs\n{RUN.run_id},2\n", encoding="utf-8")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        path = note_of(job)
        path.parent.mkdir(parents=True)
        note = claims.claim_of_this_process()
        note |= {"pid": stranger.pid, "started": processes.start_time(stranger.pid) or ""}
        path.write_text(json.dumps(note), encoding="utf-8")
        (study / "sweep.json").write_text(json.dumps(note), encoding="utf-8")
        assert job.store.state(RUN.run_id) == "running"
        cancel(study)
        assert stranger.poll() is None
        stranger.kill()
