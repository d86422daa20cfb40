"""States and claims of run folders, with real processes."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.job import Job
from scaling_study.study.result import COLUMNS, Result, read_result, write_result
from scaling_study.study.store import Store, check_writable

RUN = tiny()


@pytest.fixture
def job(execution: ExecutionConfig) -> Job:
    return Job(RUN, execution)


def test_states_follow_the_files(job: Job) -> None:
    store = job.store
    assert store.state(RUN.run_id) == "planned"
    with store.claim(RUN.run_id) as mine:
        assert mine
        assert store.state(RUN.run_id) == "running"
    assert store.state(RUN.run_id) == "planned"
    job.write_failure("out of luck", "error")
    assert store.state(RUN.run_id) == "failed"
    (store.run_dir(RUN.run_id) / "result.json").write_text("{torn", encoding="utf-8")
    assert store.state(RUN.run_id) == "unreadable"
    assert store.set_aside(RUN.run_id).read_text(encoding="utf-8") == "{torn"
    assert store.state(RUN.run_id) == "planned"


def hold(results: str, started: Event) -> None:
    with Store(Path(results)).claim(RUN.run_id):
        started.set()
        time.sleep(60)


def test_a_claim_holds_against_others_and_dies_with_its_process(execution: ExecutionConfig) -> None:
    store = Store(Path(execution.results_dir))
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    holder = context.Process(target=hold, args=(execution.results_dir, started))
    holder.start()
    assert started.wait(30)
    assert store.state(RUN.run_id) == "running"
    with store.claim(RUN.run_id) as mine:
        assert not mine
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert store.state(RUN.run_id) == "planned"
    with store.claim(RUN.run_id) as mine:
        assert mine


def race(results: str, line: Barrier, won: "Queue[int]") -> None:
    line.wait()
    with Store(Path(results)).claim(RUN.run_id) as mine:
        won.put(int(mine is not None))
        line.wait(60)  # the winner keeps it until all have tried


@pytest.mark.slow
def test_of_many_claims_at_once_one_wins(execution: ExecutionConfig) -> None:
    context = multiprocessing.get_context("spawn")
    won: Queue[int] = context.Queue()
    line = context.Barrier(6)
    racers = [
        context.Process(target=race, args=(execution.results_dir, line, won)) for _ in range(6)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sum(won.get(timeout=5) for _ in racers) == 1


def test_a_recycled_pid_is_not_taken_for_the_worker(job: Job) -> None:
    with job.store.claim(RUN.run_id):
        path = job.store.run_dir(RUN.run_id) / "job.json"
        claim = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(claim | {"started": "1"}), encoding="utf-8")
        assert job.store.state(RUN.run_id) == "planned"


def test_a_worker_elsewhere_lives_as_long_as_its_heartbeat(job: Job) -> None:
    path = job.store.run_dir(RUN.run_id) / "job.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1"}), encoding="utf-8")
    assert job.store.state(RUN.run_id) == "running"
    os.utime(path, (0, time.time() - 300))
    assert job.store.state(RUN.run_id) == "planned"


def test_a_result_survives_the_round_trip(job: Job) -> None:
    job.write_failure("why", "error")
    path = job.store.run_dir(RUN.run_id) / "result.json"
    result = read_result(path)
    assert set(vars(result)) == set(COLUMNS)
    assert (result.run_id, result.config_id) == (RUN.run_id, RUN.config_id)
    write_result(path.parent, result)
    assert read_result(path) == result
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]  # no temporary file stays


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"schema": 1}', '{"schema": 99}', "{", '{"schema": 1, "odd": 2}']
)
def test_what_is_no_result_is_a_value_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError):
        read_result(path)


BAD_VALUES = [
    ("status", "banana"),
    ("status", ["ok"]),
    ("val_error", "x"),
    ("val_error", -1),
    ("val_error", 1.5),
    ("depth", "x"),
    ("epochs", 2.5),
    ("seed", None),
    ("step_time_s", 0),
    ("step_time_s", "x"),
    ("flops", 0),
    ("git_dirty", "no"),
    ("versions", 3),
]


@pytest.mark.parametrize(("column", "value"), BAD_VALUES)
def test_an_impossible_value_makes_a_result_unreadable(
    job: Job, column: str, value: object
) -> None:
    job.write_failure("why", "error")
    path = job.store.run_dir(RUN.run_id) / "result.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {column: value}), encoding="utf-8")
    with pytest.raises(ValueError, match=column):
        read_result(path)
    assert job.store.state(RUN.run_id) == "unreadable"


@pytest.mark.parametrize(("column", "value"), [("flops", 0), ("val_error", 1.5), ("params", 0)])
def test_an_impossible_value_is_not_written(job: Job, column: str, value: Any) -> None:
    job.write_failure("why", "error")
    path = job.store.run_dir(RUN.run_id) / "result.json"
    before, result = path.read_bytes(), read_result(path)
    with pytest.raises(ValueError, match=column):
        write_result(path.parent, replace(result, **{column: value}))
    assert path.read_bytes() == before


def test_no_activations_were_written_as_0_and_are_blank(job: Job) -> None:
    job.write_failure("why", "error")
    path = job.store.run_dir(RUN.run_id) / "result.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"activations": 0}), encoding="utf-8")
    assert read_result(path).activations is None
    assert job.store.state(RUN.run_id) == "failed"


@pytest.mark.parametrize("text", ["5", "{}", "[", '{"host": 1, "pid": "x", "started": 1}'])
def test_a_damaged_claim_claims_nothing(job: Job, text: str) -> None:
    path = job.store.run_dir(RUN.run_id) / "job.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert job.store.state(RUN.run_id) == "planned"


def test_columns_are_those_of_a_result() -> None:
    assert set(COLUMNS) == set(Result.__dataclass_fields__)


@pytest.mark.parametrize(
    ("note", "wall_s", "began"),
    [
        ({"began": 50.0, "ended": 90.0}, 10.0, 50.0),
        ({"began": 80.0, "ended": 90.0, "attempts": [{"began": 20.0}, {"began": None}]}, 10, 20.0),
        ({"ended": 90.0}, 10.0, 80.0),
        ({"ended": 90.0}, None, 90.0),
        ({"ended": 200.0}, 10.0, 90.0),
        ({}, 10.0, 90.0),
        ({}, None, 100.0),
    ],
)
def test_a_run_began_when_its_first_attempt_did(
    tmp_path: Path, note: dict[str, Any], wall_s: float | None, began: float
) -> None:
    """Else as long before its end as it trained; its end is never later than its result."""
    run_dir = Store(tmp_path).run_dir("a")
    run_dir.mkdir(parents=True)
    (run_dir / "result.json").touch()
    os.utime(run_dir / "result.json", (100.0, 100.0))
    if note:
        (run_dir / "job.json").write_text(json.dumps({"pid": 1} | note))
    assert Store(tmp_path).began("a", wall_s) == began


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"results_dir=.*file: cannot write to .*runs"):
        check_writable(tmp_path / "file/runs", "results_dir", str(tmp_path / "file"))


def test_a_result_of_schema_2_counts_whole_batches_now(job: Job) -> None:
    job.write_failure("out of luck", "error")
    path = job.store.run_dir(RUN.run_id) / "result.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    # 128 images: with batches of 48, two of them, and 32 images that no epoch trains.
    record |= {"n_train": 128, "batch_size": 48, "epochs": 5, "flops": 10}
    path.write_text(json.dumps(record | {"schema": 2, "train_flops": 3 * 10 * 5 * 128}), "utf-8")
    assert (read_result(path).train_flops, read_result(path).schema) == (3 * 10 * 5 * 96, 3)
    path.write_text(json.dumps(record | {"schema": 3, "train_flops": 17}), "utf-8")
    assert read_result(path).train_flops == 17
