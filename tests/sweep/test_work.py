"""How far a sweep is and what is left, against sums by hand; claims and metrics are real files."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_up_times import rows_of
from scaling_study.config.trunks import Trunk
from scaling_study.cost.closed_form import run_cost
from scaling_study.cost.time_model import Estimate
from scaling_study.launch.outcome import Outcome
from scaling_study.planning.plan import Planned
from scaling_study.study.claims import claim_of_this_process, write_note
from scaling_study.study.run_metrics import reached
from scaling_study.study.store import Store
from scaling_study.sweep.work import Work

NOW = 1_800_000_000.0
EPOCHS = 10


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def rows(seconds: Sequence[float | None]) -> list[Planned]:
    found = rows_of({"axes": {"seed": [*range(len(seconds))], "epochs": [EPOCHS]}})
    times = [None if s is None else Estimate(s, s / 2, 2 * s) for s in seconds]
    return [replace(row, time=time) for row, time in zip(found, times, strict=True)]


def in_work(store: Store, row: Planned, began: float, *epochs: float, at: float = NOW) -> None:
    """A run that this process claims; its metrics have a line for each of `epochs`."""
    folder = store.run_dir(row.run.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_note(folder / "job.json", claim_of_this_process() | {"began": began})
    lines = (json.dumps({"step": e, "epoch": e, "loss": 3.0 - e / 10}) + "\n" for e in epochs)
    if epochs:
        (folder / "metrics.jsonl").write_text("".join(lines))
        os.utime(folder / "metrics.jsonl", (at, at))


def ok(row: Planned, wall_s: float) -> Outcome:
    return Outcome(row.run.run_id, "ok", wall_s=wall_s)


def test_with_forecasts_the_time_is_known_before_anything_has_run(store: Store) -> None:
    found = Work(rows([40, 30, 20, 10]), store, 2).look(NOW)
    assert (found.share, found.working) == (0.0, [])
    assert found.left == 50  # 40 + 10 beside 30 + 20
    assert Work(rows([40, 30, 20, None]), store, 2).look(NOW).left is None


def test_without_forecasts_it_is_known_after_the_first_epoch(store: Store) -> None:
    planned = rows([None] * 3)
    work = Work(planned, store, 1)
    in_work(store, planned[0], NOW - 8)
    found = work.look(NOW)
    assert found.left is None
    assert [(one.epoch, one.loss) for one in found.working] == [(0.0, None)]
    in_work(store, planned[0], NOW - 8, 1, 2)
    found = work.look(NOW)
    assert [(one.epoch, one.loss) for one in found.working] == [(2.0, 2.8)]
    # Two of ten epochs took 8 s, so a run takes 40.
    assert found.left == pytest.approx(40 * 0.8 + 2 * 40)
    assert found.share == pytest.approx(0.2 / 3)


def test_a_run_moves_between_records_by_an_epoch_at_most(store: Store) -> None:
    planned = rows([20, 20])
    work = Work(planned, store, 1)
    in_work(store, planned[0], NOW - 1)
    shares = [work.look(NOW + s).share for s in (0, 0.5, 100)]
    # One of twenty seconds is a twentieth of a run; an epoch is a tenth of it.
    assert shares == pytest.approx([0.05 / 2, 0.075 / 2, 0.1 / 2])
    in_work(store, planned[0], NOW - 1, *range(1, 11))
    assert work.look(NOW + 100).share == pytest.approx(0.99 / 2)


def test_what_has_ended_sets_the_pace(store: Store) -> None:
    planned = rows([10, 10, 10])
    work = Work(planned, store, 1)
    work.add(ok(planned[0], 30))
    found = work.look(NOW)
    # A run of 10 s took 30; with the forecast as one more run, the pace is 40 over 20.
    assert found.left == pytest.approx(2 * 20)
    assert found.share == pytest.approx(1 / 3)


def test_a_run_that_continues_counts_for_what_it_gains(store: Store) -> None:
    planned = rows([None])
    work = Work(planned, store, 1)
    in_work(store, planned[0], NOW - 1, 6)
    assert work.look(NOW).left is None  # those six epochs are of an earlier attempt
    in_work(store, planned[0], NOW - 1, 6, 7, at=NOW + 3)
    assert work.look(NOW + 3).left == pytest.approx(4 * 3)


def test_stopped_runs_have_not_finished_and_lose_nothing(store: Store) -> None:
    planned = rows([10, 10])
    work = Work(planned, store, 2)
    in_work(store, planned[0], NOW - 5, 5)
    half = work.look(NOW).share
    assert half == pytest.approx(0.25)
    work.add(Outcome(planned[0].run.run_id, "stopped", cause="interrupted"))
    work.add(Outcome(planned[1].run.run_id, "failed", error="x"))
    assert (work.finished, work.statuses["stopped"], work.runs) == (1, 1, 2)
    assert work.look(NOW).share == pytest.approx(0.25 + 0.5)


def test_runs_of_dead_processes_are_not_in_work(store: Store) -> None:
    planned = rows([10, 10])
    in_work(store, planned[0], NOW, 1)
    path = store.run_dir(planned[0].run.run_id) / "job.json"
    write_note(path, json.loads(path.read_text()) | {"ended": NOW})
    assert Work(planned, store, 2).look(NOW).working == []


def test_the_end_of_metrics_is_read_whatever_is_torn(tmp_path: Path) -> None:
    assert reached(tmp_path) is None
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1.0, "loss": 2.5}\n{"epoch": 1.5, "lo')
    found = reached(tmp_path)
    assert found is not None
    assert (found.epoch, found.loss) == (1.0, 2.5)
    path.write_text('{"epoch": 1.0, "loss": 2.5}\n{"epoch": 2, "val_error": 0.5}\n')
    found = reached(tmp_path)
    assert found is not None
    assert (found.epoch, found.loss) == (2.0, 2.5)
    path.write_text("torn")
    assert reached(tmp_path) is None


def test_a_run_that_goes_on_from_a_trunk_has_only_its_own_part_to_do(store: Store) -> None:
    (planned,) = rows([None])
    recipe = replace(planned.run.train, schedule="wsd", one_trunk=True)
    # The trunk of five of ten epochs ends behind the fourth.
    run = replace(planned.run, train=recipe, trunk=Trunk(run="d14", epochs=5))
    row = replace(planned, cell=replace(planned.cell, run=run), cost=run_cost(run))
    work = Work([row], store, 1)
    in_work(store, row, NOW)
    assert work.look(NOW).share == 0
    in_work(store, row, NOW - 6, 5, 6, 7)
    found = work.look(NOW)
    assert found.share == pytest.approx(3 / 6)
    assert found.left == pytest.approx(6)
