"""Runs mirrored live by the real W&B client to a local server, also to one that misbehaves."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import environment
from helpers.tiny import NOT_TRACKED, tiny
from helpers.tracked import call, logged, secrets_in, server, start
from helpers.wandb_server import KEY, Server, serving
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import check, tag_of, tracking_of
from scaling_study.launch import inline
from scaling_study.launch.job import Job, finish_uploads
from scaling_study.launch.local import pool
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import cpu_slots
from scaling_study.tracking.payload import rows_of
from scaling_study.tracking.uploader_handle import is_running

# One run of a second or two, as a user would type it.
SMALL = (
    *("model.depth=14", "model.width=0.125", "data.resolution=16", "data.classes=4"),
    *("data.train_per_class=32", "data.val_per_class=16", "train.batch_size=16"),
    *("precision=fp32", "metrics_every_s=0.05", "checkpoint.every_s=0"),
)

RUNS = "results/runs/d*/checkpoint.pt"

__all__ = ["server"]


def left_behind(run_dir: Path) -> dict[int, str]:
    """Processes that work for the run, or were started by one that does: ids, command lines."""
    found: dict[str, str] = {}
    ours: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                line = found[entry.name] = " ".join(words).strip()
                # Runs with the same id train in other folders at the same time.
                if "tracking.uploader" in line and run_dir in map(
                    (entry / "cwd").readlink().joinpath, words
                ):
                    ours.add(entry.name)
            except OSError:
                continue
    # The client's own process names the one that it serves.
    served = {p for p, line in found.items() if "wandb-core" in line and line.split()[-1] in ours}
    return {int(pid): found[pid] for pid in ours | served}


# Far beyond what anything here takes on a slow machine; a server that hangs does so for longer.
PATIENCE_S = 180
HANG_S = 600


def wait_for(condition: Callable[[], object]) -> None:
    """Until the condition holds; fails after PATIENCE_S."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S
        time.sleep(0.02)


def stop_in_the_middle(process: "subprocess.Popen[str]", server: Server, folder: Path) -> Path:
    """Halt a training run with a checkpoint until W&B has seen of it; its folder.

    Its uploader goes on. So it does not matter how fast either of them is.
    """
    wait_for(lambda: [line for path in folder.glob(RUNS) for line in logged(path.parent)])
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: any(run.history for run in server.runs.values()))
    (checkpoint,) = folder.glob(RUNS)
    return checkpoint.parent


def tracked(execution: ExecutionConfig, **changes: Any) -> ExecutionConfig:
    values: dict[str, Any] = {"name": "online", "study": "g", "finish_timeout_s": 1.0} | changes
    return replace(execution, tracking=replace(NOT_TRACKED, **values))


def train(execution: ExecutionConfig, seed: int = 0, epochs: int = 4) -> tuple[Path, Outcome]:
    """The run's folder and its outcome; its mirror may be at work still."""
    job = Job(tiny(seed=seed, **{"train.epochs": epochs}), execution)
    (outcome,) = inline.launch([job])
    return job.store.run_dir(job.run.run_id), outcome


def test_a_sweep_online(server: Server, tmp_path: Path, cache_dir: Path) -> None:
    code, output = call(
        "scaling_study.sweep",
        *("+grid=smoke", "tracking=online", "tracking.project=lab", "tracking.tags=[mine]"),
        *(f"cache_dir={cache_dir}", "metrics_every_s=0.05", "grid.axes.depth=[14]"),
        "tracking.finish_timeout_s=60",
        cwd=tmp_path,
    )
    assert code == 0, output
    run_dirs = sorted((tmp_path / "results/runs").glob("d*"))
    assert sorted(server.runs) == [run_dir.name for run_dir in run_dirs]
    for run_dir in run_dirs:
        run = server.runs[run_dir.name]
        result = json.loads((run_dir / "result.json").read_text())
        assert run.history == [pytest.approx(row) for row in logged(run_dir)]
        assert (run.group, run.job_type, run.tags) == ("smoke", "train", ["smoke", "mine"])
        assert (run.display_name, run.exit_code) == (run_dir.name, 0)
        config, summary = run.values(), run.summary
        assert config["run"]["model"]["depth"] == config["depth"] == result["depth"]
        told = {k: v for k, v in result.items() if v is not None}
        assert {k: config.get(k, summary.get(k)) for k in told} == told
        # Epochs are the axis of everything.
        assert {"1": "epoch"}.items() <= config_metrics(run.config)[0].items()
        assert not (run_dir / "wandb").exists()
        assert left_behind(run_dir) == {}
    assert server.unknown == set()
    assert KEY not in output
    assert secrets_in(tmp_path) == []


def config_metrics(config: dict[str, Any]) -> list[dict[str, Any]]:
    """What `define_metric` told the server."""
    return list(config["_wandb"]["value"]["m"])


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_behind_and_continues_as_the_same_run(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        *(*SMALL, "train.epochs=60", "tracking=online", f"cache_dir={cache_dir}"),
        f"tracking.finish_timeout_s={PATIENCE_S}",
    )
    with start("scaling_study.train", *arguments, cwd=tmp_path) as process:
        run_dir = stop_in_the_middle(process, server, tmp_path)
        assert left_behind(run_dir)
        process.kill()
        process.communicate()
    wait_for(lambda: not left_behind(run_dir))
    (run,) = server.runs.values()
    assert (run.exit_code, run.preempting) == (1, True)
    assert run.history
    code, output = call("scaling_study.train", *arguments, cwd=tmp_path)
    assert code == 0, output
    assert "resuming at step" in output
    assert list(server.runs) == [run_dir.name]
    # Steps that the kill undid are sent once; trained again they differ in their speed alone.
    epochs, whole = (
        [{**row, "images_per_s": None} for row in rows if row["epoch"] == int(row["epoch"])]
        for rows in (run.history, logged(run_dir))
    )
    assert [row["epoch"] for row in epochs] == [*range(1, 61), 60]
    assert epochs == [pytest.approx(row) for row in whole]
    assert (run.exit_code, run.summary["status"]) == (0, "ok")


@pytest.mark.slow
def test_of_two_processes_that_train_together_one_is_mirrored(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        *("--nproc-per-node", "2", "--standalone", "-m", "scaling_study.train"),
        *(*SMALL, "train.epochs=4", "tracking=online", f"cache_dir={cache_dir}"),
        "tracking.finish_timeout_s=60",
    )
    code, output = call("torch.distributed.run", *arguments, cwd=tmp_path)
    assert code == 0, output
    (run,) = server.runs.values()
    (run_dir,) = tmp_path.glob("results/runs/d*")
    assert (run.opened, run.exit_code, run.summary["world_size"]) == (1, 0, 2)
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]


def test_a_dead_server_costs_a_run_nothing(server: Server, execution: ExecutionConfig) -> None:
    server.stop()
    run_dir, outcome = train(tracked(execution, finish_timeout_s=HANG_S))
    assert outcome.status == "ok"
    begin = time.monotonic()
    wait_for(lambda: not left_behind(run_dir))
    assert time.monotonic() - begin < HANG_S
    assert "does not answer" in (run_dir / "tracking.txt").read_text()


def out_of_order(server: Server, where: str, answer: int | None) -> None:
    """From now on the server answers so what is sent there, or if None, never."""

    def behave(path: str, _: str) -> tuple[int, dict[str, str]] | None:
        if where not in path:
            return None
        if answer is None:
            time.sleep(HANG_S)
        return answer or 500, {}

    server.behave = behave


@contextmanager
def killed_at_the_end(*run_dirs: Path) -> Iterator[None]:
    """What works for these runs at the end would do so for HANG_S."""
    try:
        yield
    finally:
        for run_dir in run_dirs:
            for pid in left_behind(run_dir):
                os.kill(pid, signal.SIGKILL)


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
        # The mirrors go on without them.
        assert all(is_running(run_dir) for run_dir in run_dirs)


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
    assert capsys.readouterr().out.count("W&B") == 0
    assert secrets_in(Path(execution.results_dir)) == []


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

    (tmp_path / "results/g").mkdir()
    plan = f"run_id,epochs\n{run_dir.name},60\n"
    (tmp_path / "results/g/plan.csv").write_text(plan, encoding="utf-8")
    with serving(server.port) as back:
        back.runs = server.runs
        code, output = call("scaling_study.sync", "results/g", cwd=tmp_path)
        assert code == 0, output
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]
    assert (run.exit_code, run.opened, run.summary["status"]) == (0, 1, "ok")


def test_offline_sends_nothing_and_wandb_sync_sends_it(
    server: Server, execution: ExecutionConfig, tmp_path: Path
) -> None:
    run_dir, outcome = train(tracked(execution, name="offline", finish_timeout_s=60.0))
    assert outcome.status == "ok"
    wait_for(lambda: not left_behind(run_dir))
    assert server.requests == []
    (folder,) = run_dir.glob("wandb/offline-run-*")
    code, output = call("wandb", "sync", "--yes", str(folder), cwd=tmp_path)
    assert code == 0, output
    (run,) = server.runs.values()
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]
    assert (run.name, run.group, run.summary["status"]) == (run_dir.name, "g", "ok")
    assert secrets_in(tmp_path) == []


def test_untracked_runs_know_no_wandb_and_no_network(tmp_path: Path, cache_dir: Path) -> None:
    probe = (
        "import runpy, sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda e, a: seen.append((e, a)) if e in ('socket.connect',\n"
        "    'socket.getaddrinfo', 'socket.sendto') else None)\n"
        "try:\n    runpy.run_module('scaling_study.train', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code, seen, 'wandb' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *SMALL, "train.epochs=2", f"cache_dir={cache_dir}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.stdout.splitlines()[-1] == "0 [] False", done.stderr
    (run_dir,) = tmp_path.glob("results/runs/d*")
    assert not (run_dir / "wandb").exists()
    assert not (run_dir / "tracking.txt").exists()


@pytest.mark.parametrize("key", [None, pytest.param("short", marks=pytest.mark.slow)])
def test_online_without_a_key_is_refused_before_anything_is_launched(
    key: str | None, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    code, output = call("scaling_study.sweep", "+grid=smoke", "tracking=online", cwd=tmp_path)
    assert code == 2
    assert output.startswith("error: tracking=online: ")
    assert len(output.splitlines()) == 1
    for way in ("WANDB_API_KEY", "wandb login", "tracking=offline"):
        assert way in output
    assert not key or key not in output
    assert not (tmp_path / "results").exists()
    assert server.requests == []


GROUP: dict[str, Any] = {
    "name": "none",
    "project": "p",
    "entity": None,
    "tags": [],
    "finish_timeout_s": 5,
}


def test_tags_of_long_names_are_short_and_differ() -> None:
    assert tag_of("n" * 64) == "n" * 64
    long = [tag_of("n" * 64 + end) for end in "ab"]
    assert [len(tag) for tag in long] == [64, 64]
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "of"}, "tracking.name=of: unknown; known: none, online, offline, tensorboard"),
        ({"project": "a/b"}, "tracking.project=a/b: must be a name without"),
        ({"tags": "mine"}, "tracking.tags='mine': must be a list of names"),
        ({"tags": ["x" * 65]}, "1 to 64 characters"),
        ({"finish_timeout_s": 0}, "tracking.finish_timeout_s=0.0: must be more than 0"),
        ({"entity": 3}, "tracking.entity=3: must be a name"),
        ({"projct": "p"}, "tracking.projct: no such setting (did you mean project?)"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        tracking_of({"tracking": GROUP | changes})
    assert message in str(refused.value)


def test_tracking_is_outside_the_run_id(execution: ExecutionConfig, server: Server) -> None:
    server.stop()
    first, _ = train(execution)
    result = (first / "result.json").stat()
    second, outcome = train(tracked(execution))
    assert first == second
    assert outcome.status == "ok"
    assert (second / "result.json").stat() == result  # it was there
    assert os.listdir(first).count("tracking.txt") == 0


def test_metrics_within_an_epoch_are_written_at_most_so_often(execution: ExecutionConfig) -> None:
    rare, _ = train(execution, epochs=4)
    often, _ = train(replace(execution, metrics_every_s=0), seed=1, epochs=4)
    assert [row["epoch"] for _, row in rows_of(rare)] == [1, 2, 3, 4, 4]
    steps = [row["step"] for _, row in rows_of(often)]
    assert steps == [*range(1, 4 * 8 + 1), 32]


def test_rows_get_rising_numbers_and_torn_lines_none(tmp_path: Path) -> None:
    rows = [{"step": 3}, {"step": 3, "val_error": 0.1}, {"step": 4}, {"step": 9}]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"step": 1'
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8")
    assert [number for number, _ in rows_of(tmp_path)] == [3, 4, 5, 9]
    assert rows_of(tmp_path / "none") == ()


def scalars(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return {k: [(e.step, e.value) for e in events.Scalars(k)] for k in events.Tags()["scalars"]}


def test_tensorboard_shows_a_resumed_run_once(execution: ExecutionConfig) -> None:
    from scaling_study.tracking.tensorboard import EventFiles

    run_dir, outcome = train(tracked(execution, name="tensorboard"))
    assert outcome.status == "ok"
    shown = scalars(run_dir)
    assert [step for step, _ in shown["loss"]] == [8, 16, 24, 32]
    assert shown["val_error"] == [(32, pytest.approx(outcome.val_error))]
    again = EventFiles(run_dir, 16)
    for step in (24, 32):
        again.write(step=step, loss=7.0)
    assert [step for step, _ in scalars(run_dir)["loss"]] == [8, 16, 24, 32]
    assert [value for _, value in scalars(run_dir)["loss"][2:]] == [7.0, 7.0]


def test_tensorboard_shows_a_run_that_starts_anew_once(tmp_path: Path) -> None:
    from scaling_study.tracking.tensorboard import EventFiles

    for loss, steps in ((1.0, (8, 16, 24)), (2.0, (8, 16))):
        files = EventFiles(tmp_path, 0)
        for step in steps:
            files.write(step=step, loss=loss)
    assert scalars(tmp_path) == {"loss": [(8, 2.0), (16, 2.0)]}


def test_tensorboard_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"scaling-study\[tensorboard\]"):
        check(replace(NOT_TRACKED, name="tensorboard"))
