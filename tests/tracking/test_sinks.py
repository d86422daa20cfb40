"""One protocol for all sinks: files, TensorBoard, W&B, and one that a user wrote."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.mirrored_runs import left_behind, tracked, train, wait_for
from helpers.pages import DOCS
from helpers.tiny import NOT_TRACKED
from helpers.tracked import finished_run, logged
from helpers.wandb_server import Server
from scaling_study.common.errors import InputError
from scaling_study.common.sink import Sink
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import Tracking
from scaling_study.study.result import read_result
from scaling_study.tracking.payload import DIGEST, payload_of, rows_of, tracked_run
from scaling_study.tracking.registry import check, tracker
from scaling_study.tracking.trackers.tensorboard import EventFiles
from scaling_study.tracking.uploader import hand_on
from scaling_study.tracking.uploader_handle import wait_for_uploads
from scaling_study.tracking.wandb_client import Target, Upload
from scaling_study.training.metrics import MetricsFile

OWN = "my_trackers.sqlite"
ONLINE = replace(NOT_TRACKED, name="online", study="g", finish_timeout_s=60.0)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracker of examples/ can be imported."""
    monkeypatch.syspath_prepend(DOCS.parent / "examples/own_tracker")


def kept(run_dir: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records and the summary that the example's file has of a run."""
    with sqlite3.connect(run_dir.parent.parent / "runs.sqlite") as db:
        asked = "SELECT record FROM records WHERE run = ? ORDER BY number"
        records = [json.loads(text) for (text,) in db.execute(asked, [run_dir.name])]
        asked = "SELECT summary FROM runs WHERE id = ?"
        ((summary,),) = db.execute(asked, [run_dir.name])
    return records, json.loads(summary)


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_a_sink_of_the_users_receives_what_the_others_receive(
    server: Server, tmp_path: Path
) -> None:
    run_dir = tmp_path / "results/runs" / finished_run(tmp_path / "results/runs", seed=1).run_id
    run, payload = tracked_run(run_dir, ONLINE), payload_of(run_dir)
    own = tracker(OWN).open
    assert own is not None
    copy = tmp_path / "metrics.jsonl"
    sinks: list[Sink] = [
        *(MetricsFile(copy, 0), EventFiles(tmp_path / "tensorboard")),
        *(Upload.open(run, Target("g", ())), own(run)),
    ]
    for sink in sinks:
        hand_on(sink, [], payload.rows)
        sink.finish(payload.marked_summary)
    assert copy.read_bytes() == (run_dir / "metrics.jsonl").read_bytes()
    rows = [row for _, row in rows_of(run_dir)]
    records, summary = kept(run_dir)
    (stored,) = server.runs.values()
    assert records == rows
    assert stored.history == [pytest.approx(row) for row in logged(run_dir)]
    assert summary.items() <= stored.summary.items()
    assert (summary["val_error"], summary["status"]) == (0.25, "ok")
    assert run.name == stored.display_name == "d14 w0.125 16px 4ep s1"


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_a_run_that_trains_is_handed_to_a_sink_of_the_users(execution: ExecutionConfig) -> None:
    run_dir, outcome = train(tracked(execution, name=OWN, finish_timeout_s=60.0))
    wait_for(lambda: not left_behind(run_dir))
    records, summary = kept(run_dir)
    assert records == [row for _, row in rows_of(run_dir)]
    assert summary["val_error"] == read_result(run_dir / "result.json").val_error
    assert outcome.val_error == summary["val_error"]
    assert summary[DIGEST] == payload_of(run_dir).digest


BAD = """
import os, time
from scaling_study.tracking.base import Tracker

class Bad:
    def write(self, number, row):
        {deed}
    def finish(self, summary):
        pass

TRACKER = Tracker(title="mine", open=lambda run: Bad())
"""


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["raise KeyError('x')", "os.abort()", "time.sleep(600)"])
def test_a_sink_that_fails_harms_no_run(
    deed: str,
    execution: ExecutionConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bad_sinks").mkdir()
    name = f"bad_sinks.{deed[:2]}"
    path = (tmp_path / name.replace(".", "/")).with_suffix(".py")
    path.write_text(BAD.format(deed=deed), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    run_dir, outcome = train(tracked(execution, name=name))
    assert outcome.status == "ok"
    wait_for(lambda: not left_behind(run_dir))
    wait_for_uploads([run_dir], tracked(execution, name=name).tracking, 60)
    (said,) = capsys.readouterr().out.splitlines()[-1:]
    assert said == f"mine: 1 of 1 runs were not taken whole; see {run_dir / 'tracking.txt'}"
    assert ("KeyError: 'x'" in (run_dir / "tracking.txt").read_text()) == ("raise" in deed)


class Kept:
    def __init__(self) -> None:
        self.rows: dict[int, Mapping[str, Any]] = {}
        self.numbers: list[int] = []

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        self.rows = {k: v for k, v in self.rows.items() if k < number} | {number: row}
        self.numbers.append(number)

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass


def test_a_run_that_goes_back_hands_on_what_is_new_from_there() -> None:
    sink = Kept()
    rows = [(step, {"step": step, "loss": 1.0}) for step in (8, 16, 24)]
    given = hand_on(sink, [], rows)
    assert hand_on(sink, given, rows) == rows
    anew = [rows[0], (16, {"step": 16, "loss": 2.0})]
    given = hand_on(sink, given, anew)
    assert sink.numbers == [8, 16, 24, 16]
    assert list(sink.rows.items()) == anew
    assert hand_on(sink, given, []) == []
    given = hand_on(sink, [], rows[:1])
    assert list(sink.rows.items()) == rows[:1]


def test_a_module_without_a_tracker_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "no_trackers").mkdir()
    (tmp_path / "no_trackers" / "empty.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"empty\.py declares no TRACKER"):
        check(Tracking(**{**vars(NOT_TRACKED), "name": "no_trackers.empty"}))
