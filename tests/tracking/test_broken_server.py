"""Runs mirrored live to a server that is dead, hangs, errs or comes back."""

import fcntl
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.mirrored_runs import (
    HANG_S,
    PATIENCE_S,
    SMALL,
    left_behind,
    out_of_order,
    stop_in_the_middle,
    tracked,
    train,
    wait_for,
)
from helpers.study import write_plan
from helpers.tiny import tiny
from helpers.tracked import call, logged, secrets_in, start
from helpers.wandb_server import Server, serving
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import tag_of
from scaling_study.launch import inline
from scaling_study.launch.job import Job, finish_uploads
from scaling_study.launch.local import pool
from scaling_study.launch.slots import cpu_slots
from scaling_study.tracking.uploader_handle import is_running


@pytest.mark.slow
def test_a_dead_server_costs_a_run_nothing(server: Server, execution: ExecutionConfig) -> None:
    server.stop()
    run_dir, outcome = train(tracked(execution, finish_timeout_s=HANG_S))
    assert outcome.status == "ok"
    begin = time.monotonic()
    wait_for(lambda: not left_behind(run_dir))
    assert time.monotonic() - begin < HANG_S
    assert "nothing answers at" in (run_dir / "tracking.txt").read_text()


@contextmanager
def killed_at_the_end(*run_dirs: Path) -> Iterator[None]:
    """What works for these runs at the end would do so for HANG_S."""
    try:
        yield
    finally:
        for run_dir in run_dirs:
            for pid in left_behind(run_dir):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "where"),
    [("inline", "graphql"), pytest.param("local", "file_stream", marks=pytest.mark.slow)],
)
def test_no_run_waits_for_a_server_that_hangs(
    launcher: str, where: str, server: Server, execution: ExecutionConfig
) -> None:
    out_of_order(server, where, None)
    jobs = [Job(tiny(seed=seed), tracked(execution, finish_timeout_s=HANG_S)) for seed in range(2)]
    run_dirs = [job.store.run_dir(job.run.run_id) for job in jobs]
    begin = time.monotonic()
    with killed_at_the_end(*run_dirs):
        outcomes = inline.launch(jobs) if launcher == "inline" else pool.launch(jobs, cpu_slots(1))
        assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
        # One after the other in one slot: a run that waited would have taken twice as long.
        assert time.monotonic() - begin < PATIENCE_S
        # The mirrors go on without them, or have given the server up already.
        ended = [run_dir for run_dir in run_dirs if not is_running(run_dir)]
        said = [(run_dir / "tracking.txt").read_text() for run_dir in ended]
        assert all("nothing answers at" in text for text in said), said


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file_stream", "graphql"])
@pytest.mark.parametrize("answer", [None, 500, 429])
def test_what_a_server_out_of_order_does_not_take_is_left_to_sync(
    answer: int | None,
    where: str,
    server: Server,
    execution: ExecutionConfig,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out_of_order(server, where, answer)
    job = Job(tiny(), tracked(execution))
    run_dir = job.store.run_dir(job.run.run_id)
    assert job().status == "ok"
    # Its time is a second, the server's HANG_S; W&B's own helper goes a moment later.
    wait_for(lambda: not left_behind(run_dir) and not is_running(run_dir))
    finish_uploads([job])
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "W&B" in line]
    assert said.startswith("W&B: 1 of 1 runs were not taken whole; see ")
    assert said.endswith("; `python -m scaling_study.sync` sends the rest")
    assert secrets_in(Path(execution.results_dir)) == []


@pytest.mark.slow
def test_the_wait_for_mirrors_is_limited(execution: ExecutionConfig) -> None:
    job = Job(tiny(), tracked(execution, finish_timeout_s=HANG_S))
    run_dir = job.store.run_dir(job.run.run_id)
    run_dir.mkdir(parents=True)
    with (run_dir / "tracking.txt").open("wb") as mirror:
        fcntl.flock(mirror, fcntl.LOCK_EX)
        begin = time.monotonic()
        finish_uploads([job], 0.1)
        assert time.monotonic() - begin < PATIENCE_S


@pytest.mark.slow
def test_a_sweep_waits_once_for_a_server_that_hangs(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    out_of_order(server, "file_stream", None)
    code, output = call(
        "scaling_study.sweep",
        *("+grid=smoke", "tracking=online", "grid.axes.depth=[14]", "launcher.slots=1"),
        *(f"cache_dir={cache_dir}", "tracking.finish_timeout_s=3"),
        cwd=tmp_path,
    )
    assert code == 0, output
    assert len(re.findall(r"W&B: the end of \d+ runs is sent, for at most 3 s", output)) == 1
    for run_dir in tmp_path.glob("results/runs/d*"):
        wait_for(lambda: not left_behind(run_dir))  # noqa: B023
    assert secrets_in(tmp_path) == []


@pytest.mark.slow
def test_the_mirror_of_an_earlier_attempt_ends_first(
    server: Server, execution: ExecutionConfig
) -> None:
    study = "n" * 70
    job = Job(tiny(), tracked(execution, study=study, finish_timeout_s=PATIENCE_S))
    run_dir = job.store.run_dir(job.run.run_id)
    run_dir.mkdir(parents=True)
    with (run_dir / "tracking.txt").open("wb") as earlier:
        fcntl.flock(earlier, fcntl.LOCK_EX)
        assert job().status == "ok"
        assert server.runs == {}
    wait_for(lambda: not left_behind(run_dir))
    (run,) = server.runs.values()
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]
    assert (run.exit_code, run.opened, run.tags) == (0, 1, [tag_of(study)])


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_and_comes_back(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (*SMALL, "train.epochs=60", "tracking=online", f"cache_dir={cache_dir}")
    with start("scaling_study.train", *arguments, cwd=tmp_path) as process:
        run_dir = stop_in_the_middle(process, server, tmp_path)
        server.stop()
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    wait_for(lambda: not left_behind(run_dir))
    (run,) = server.runs.values()
    assert len(run.history) < len(logged(run_dir))
    assert run.exit_code is None

    write_plan(tmp_path / "results/g", [{"run_id": run_dir.name, "epochs": 60}])
    with serving(server.port) as back:
        back.runs = server.runs
        code, output = call("scaling_study.sync", "results/g", cwd=tmp_path)
        assert code == 0, output
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]
    assert (run.exit_code, run.opened, run.summary["status"]) == (0, 1, "ok")
