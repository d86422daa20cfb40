"""`status` and `cancel` of a study on this machine, with a sweep at work and without."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from helpers import warm_python
from helpers.commands import environment
from helpers.study import read_plan, write_plan
from helpers.tiny import tiny
from scaling_study.common.processes import start_time
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.launch.job import Job
from scaling_study.launch.queue_view import QueueView, RunInQueue
from scaling_study.planning.plan import plan
from scaling_study.planning.plan_table import write_csv
from scaling_study.status.__main__ import _goes_on
from scaling_study.status.overview import SCHEMA, STATES, RunStatus, _eta_s, overview
from scaling_study.status.view import view
from scaling_study.study.claims import claim_of_this_process
from scaling_study.study.store import Store
from scaling_study.sweep.requests import wait_for_orphans

STATUS, CANCEL = "scaling_study.status", "scaling_study.cancel"
LONG = ("+grid=smoke", "train.epochs=4000", "launcher.slots=2")


def call(folder: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return warm_python.run(module, *arguments, cwd=folder, env=environment())


@pytest.mark.slow
def test_a_sweep_is_watched_and_cancelled(tmp_path: Path, cache_dir: Path) -> None:
    words = ("scaling_study.sweep", *LONG, f"cache_dir={cache_dir}")
    place = {"cwd": tmp_path, "env": environment()}
    sweep = warm_python.start(*words, stdout=subprocess.DEVNULL, **place)
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("results/runs/*/checkpoint.pt"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
    seen = json.loads(call(tmp_path, STATUS, "results/smoke", "--json").stdout)
    assert {s: n for s, n in seen["counts"].items() if n} == {"running": 2, "planned": 2}
    assert seen["scheduler"] == "not asked"
    text = call(tmp_path, STATUS, "results/smoke").stdout
    assert "◐ 2 running" in text
    assert "· 2 planned" in text

    done = call(tmp_path, CANCEL, "results/smoke")
    assert done.returncode == 0, done.stderr
    assert "cancelled 2 running and 0 queued runs" in done.stdout
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "nothing is lost" in errors
    seen = json.loads(call(tmp_path, STATUS, "results/smoke", "--json").stdout)
    assert {s: n for s, n in seen["counts"].items() if n} == {"failed": 2, "planned": 2}
    assert seen["causes"] == {"cancelled": 2}
    assert len(list(tmp_path.glob("results/runs/*/checkpoint.pt"))) == 2


@pytest.fixture
def study(tmp_path: Path, execution: ExecutionConfig) -> Path:
    """A study of two depths and two lengths in which all has gone differently."""
    folder = tmp_path / "results"
    runs = [tiny(**{"model.depth": d, "train.epochs": e}) for d in (14, 26) for e in (2, 3)]
    jobs = [Job(run, replace(execution, results_dir=str(folder))) for run in runs]
    store = jobs[0].store
    jobs[0]()
    jobs[1].write_failure("CUDA out of memory", "gpu_memory")
    log = store.run_dir(runs[1].run_id) / "log.txt"
    log.write_text("".join(f"line {i}\n" for i in range(20)), encoding="utf-8")
    store.enqueue(runs[2].run_id, "12_3")
    (folder / "grid").mkdir()
    rows = plan([Cell(run, {}) for run in runs], store, store.read(), Times([], 1))
    write_csv(rows, {}, folder / "grid" / "plan.csv")
    return folder / "grid"


def test_the_overview_tells_states_causes_and_what_is_left(study: Path) -> None:
    seen = overview(study)
    assert (seen.schema, set(seen.counts)) == (SCHEMA, set(STATES))
    counts = {state: n for state, n in seen.counts.items() if n}
    assert counts == {"ok": 1, "failed": 1, "queued": 1, "planned": 1}
    ok, failed, queued, _ = seen.runs
    assert (ok.epoch, ok.epochs) == (2, 2)
    assert failed.log_tail == tuple(f"line {i}" for i in range(15, 20))
    assert (failed.cause, queued.job) == ("gpu_memory", "12_3")
    # Of the planned and the queued run neither is in work, and nobody says when one starts.
    assert seen.eta_s is None
    assert json.loads(seen.as_json())["runs"][1]["cause"] == "gpu_memory"


def test_the_map_has_a_sign_for_every_run(study: Path) -> None:
    console = Console(width=100, record=True)
    console.print(view(overview(study)))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0].split("  ") == ["depth × width", "16 px, 2 ep", "16 px, 3 ep"]
    assert lines[1].split() == ["14", "×", "0.125", "●", "✗"]
    assert lines[2].split() == ["26", "×", "0.125", "○", "·"]
    text = "\n".join(lines)
    assert "(gpu_memory" in text
    assert "line 19" in text
    assert "line 14" not in text


def test_watching_goes_on_before_the_first_run_starts(study: Path) -> None:
    idle = replace(overview(study), counts=dict.fromkeys(STATES, 0))
    assert not _goes_on(idle, study)
    with subprocess.Popen(["sleep", "60"]) as sweep:
        note = claim_of_this_process() | {"pid": sweep.pid, "started": start_time(sweep.pid) or ""}
        (study / "sweep.json").write_text(json.dumps(note), encoding="utf-8")
        assert _goes_on(idle, study)
        sweep.kill()
    assert not _goes_on(idle, study)


def test_a_run_is_followed_within_an_epoch(study: Path) -> None:
    with (study / "../runs" / overview(study).runs[2].run_id / "metrics.jsonl").open("w") as file:
        file.write('{"step": 8, "epoch": 1.0, "loss": 2}\n{"step": 10, "epoch": 1.25}\n{"step"')
    assert overview(study).runs[2].epoch == 1.25


@pytest.mark.parametrize("module", [STATUS, CANCEL])
def test_what_is_no_study_is_bad_input(module: str) -> None:
    done = call(Path("/"), module, "results/nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no study in results/nothing")
    assert "Traceback" not in done.stderr


def test_what_head_leaves_unread_is_no_error(study: Path) -> None:
    command = f"{sys.executable} -m {STATUS} {study} --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert (len(done.stdout), done.stderr) == (10, "")


def test_a_screen_that_the_map_does_not_fit_still_tells_the_rest(study: Path) -> None:
    rows = read_plan(study)
    more = [rows[0] | {"depth": str(100 + i), "run_id": f"planned-{i}"} for i in range(60)]
    write_plan(study, [*rows, *more])
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", STATUS, str(study), "--watch", "--every", "60"],
        env=environment() | {"TERM": "xterm"},
        **dict.fromkeys(("stdin", "stdout", "stderr"), child),
    ) as watch:
        text, end = "", time.monotonic() + 60
        while "rows more" not in text and time.monotonic() < end:
            text += os.read(parent, 4096).decode(errors="replace")
        watch.kill()
    os.close(parent)
    os.close(child)
    frame = text[: text.index("rows more")]
    assert frame.count("\n") < 30
    for said in ("61 planned", "left, with the queue: ", "(gpu_memory", "line 19", "14 × 0.125"):
        assert said in frame


def run_of(i: int, state: str, forecast_s: float) -> RunStatus:
    past = (None, None, 0.0, 0, None, None, None, None, None)
    return RunStatus(f"r{i}", 14, 1, 16, 10, i, state, *past, forecast_s, 1e9, "", ())


def test_the_time_that_is_left_follows_from_how_many_run_at_once() -> None:
    waiting = RunInQueue("queued", "7_0", True, "Resources", starts_at=time.time() + 60)
    view = QueueView({"r0": waiting}, True)
    queued = [run_of(i, "queued", 600) for i in range(300)]
    for at_once, left in ((1, 180_000), (100, 1800), (300, 600)):
        assert _eta_s(queued, None, view, at_once) == pytest.approx(left + 60, abs=5)
        started = [run_of(0, "running", 600), *queued[1:]]
        assert _eta_s(started, None, view, at_once) == left
    uneven = [run_of(0, "running", 36_000), *(run_of(i, "running", 60) for i in range(1, 101))]
    assert _eta_s(uneven, None, view, None) == 36_000
    # Of six epochs of its own, behind a trunk of four, it has done two.
    own = replace(run_of(0, "running", 600), epoch=6.0, begins=4.0)
    assert _eta_s([own], None, view, None) == pytest.approx(400)
    # Nothing in work: a sweep is between two runs, or nobody is at it.
    assert _eta_s([run_of(0, "planned", 60)], None, QueueView({}, None), 2) == 60
    assert _eta_s([run_of(0, "planned", 60)], None, QueueView({}, None), None) is None


def test_a_job_cancelled_in_the_queue_attempted_nothing(study: Path) -> None:
    store, run_id = Store(study.parent), overview(study).runs[2].run_id
    store.end(run_id, "cancelled")
    assert store.attempts(run_id) == []
    assert [run.attempts for run in overview(study).runs] == [0, 0, 0, 0]
    store.enqueue(run_id, "13")
    with store.claim(run_id):
        assert overview(study).runs[2].attempts == 0


@pytest.mark.alone
def test_runs_of_a_killed_sweep_are_waited_for(study: Path) -> None:
    store, run_id = Store(study.parent), overview(study).runs[3].run_id
    with subprocess.Popen(["sleep", "60"]) as sweep:
        killed = claim_of_this_process() | {
            "pid": sweep.pid,
            "started": start_time(sweep.pid) or "",
        }
        sweep.kill()
    with subprocess.Popen(["sleep", "1"]) as orphan:
        note = claim_of_this_process() | {
            "pid": orphan.pid,
            "started": start_time(orphan.pid) or "",
        }
        store.run_dir(run_id).mkdir(parents=True, exist_ok=True)
        (store.run_dir(run_id) / "job.json").write_text(json.dumps(note), encoding="utf-8")
        wait_for_orphans([run_id], store, study)  # nobody's sweep was killed here
        assert store.state(run_id) == "running"
        (study / "sweep.json").write_text(json.dumps(killed), encoding="utf-8")
        wait_for_orphans([run_id], store, study)
        assert store.state(run_id) == "planned"
