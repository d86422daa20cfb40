"""`launcher.gpus_per_run=auto`: as few GPUs as hold a run and end it in time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.devices import devices
from scaling_study.cost.step_memory import USABLE, memory_bytes
from scaling_study.grid.cells import cells_of
from scaling_study.models.counting.counts import keep_counts_in
from scaling_study.planning.devices_per_run import Wish, allotted, check_given, wish_of
from scaling_study.planning.parents import check_processes
from scaling_study.planning.plan import Planned, plan
from scaling_study.study.result import Result
from scaling_study.study.store import Store

PRIOR = Times([], 1, device="cuda: a100", data_sheet=devices()["a100"])
NOWHERE = Store(Path("none"))


def rows_of(batch: int, sync: bool = True, ghosts: int = 0, **axes: list[Any]) -> list[Planned]:
    norm = {"sync_batch_norm": sync, "ghost_batch": ghosts}
    train = TINY["train"] | {"batch_size": batch} | norm
    data = TINY["data"] | {"train_per_class": batch}
    settings = TINY | {"device": "cuda", "precision": "bf16", "train": train, "data": data}
    cells, _ = cells_of({"name": "g", "axes": axes}, settings, PRIOR)
    return plan(cells, NOWHERE, {}, PRIOR)


def chosen(
    rows: list[Planned], wish: Wish, times: Times = PRIOR
) -> tuple[list[Planned], list[str]]:
    return allotted(rows, wish, times, NOWHERE, {})


def test_a_run_takes_the_least_number_whose_memory_holds_it() -> None:
    rows = rows_of(256, depth=[14, 50], resolution=[32, 64])
    room = {n: memory_bytes(rows[-1].run, n) / USABLE for n in (1, 2, 4, 8)}
    found, lines = chosen(rows, Wish(1.01 * room[4], None))
    assert found[-1].processes == 4
    assert found[-1].cost.memory_bytes == memory_bytes(rows[-1].run, 4)
    for row in found:
        held = [n for n in (1, 2, 4, 8) if memory_bytes(row.run, n) <= USABLE * 1.01 * room[4]]
        assert row.processes == min(held)
    assert len({row.processes for row in found}) > 1
    assert "the analysis compares them by device-seconds" in lines[-1]
    alone, lines = chosen(rows, Wish(1.01 * room[1], None))
    assert ({row.processes for row in alone}, lines) == ({1}, [])


def test_a_wished_time_takes_more_gpus_and_says_where_none_suffice() -> None:
    (row,) = rows_of(256, depth=[50])
    assert row.time is not None
    times = {n: PRIOR.of_processes(n).whole(row.run, row.columns) for n in (1, 2, 4, 8)}
    hours = {n: time.value / 3600 for n, time in times.items() if time}
    (two,), _ = chosen([row], Wish(80e9, 1.01 * hours[2]))
    assert two.processes == 2
    assert two.gpu_hours is not None
    assert two.gpu_hours.value == pytest.approx(2 * hours[2])
    (most,), lines = chosen([row], Wish(80e9, 1e-9))
    assert most.processes == 128  # of which each has two images
    assert "more than launcher.target_hours=1e-09" in lines[0]
    _, lines = chosen([row], Wish(80e9, 1.0), Times([], 1))
    assert "counts for no run whose time on 1 devices is unknown" in lines[0]


def test_batch_norm_sees_what_the_recipe_says() -> None:
    rows = rows_of(256, sync=False, depth=[50])
    room = 1.01 * memory_bytes(rows[0].run, 4) / USABLE
    with pytest.raises(
        InputError, match=r"takes 4 processes, in each of which batch norm would see 64"
    ):
        chosen(rows, Wish(room, None))
    parent = replace(rows[0], cell=replace(rows[0].cell, stage="before"))
    with pytest.raises(InputError, match=r"'\+grid.parents.before=\{train.sync_batch_norm: tr"):
        chosen([parent], Wish(room, None))
    (row,), _ = chosen(rows, Wish(80e9, None))
    assert row.processes == 1
    (row,), _ = chosen(rows_of(256, sync=False, ghosts=32, depth=[50]), Wish(room, None))
    assert row.processes == 4
    (row,), lines = chosen(rows_of(256, sync=False, ghosts=128, depth=[50]), Wish(room, None))
    assert row.processes == 2  # four would have 64 images each, and not that group
    assert "its step fits on no number of devices, nor with any train.accumulation" in lines[0]


def test_a_number_that_is_set_leaves_batch_norm_to_the_recipe() -> None:
    (row,) = rows_of(256, sync=False, depth=[50])
    check_given([row], 1)
    four = replace(row, processes=4)
    with pytest.raises(InputError, match=r"launcher.gpus_per_run=2: .*4 processes, .* see 64 im"):
        check_given([four], 2)  # of each of two nodes
    with pytest.raises(InputError, match=r"train.ghost_batch=64 has groups of so many with any"):
        check_given([four], 4)
    for ghosts, sync in ((32, False), (64, False), (0, True)):
        (other,) = rows_of(256, sync=sync, ghosts=ghosts, depth=[50])
        check_given([replace(other, processes=4)], 4)
    with pytest.raises(InputError, match=r"train.batch_size=256: .* for each of 3 processes"):
        check_given([replace(row, processes=3)], 3)


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        ("before", r"of all: '\+grid\.parents\.before=\{train\.sync_batch_norm: true\}'$"),
        ("epochs=3", r"of all: run\(epochs=3, train\.sync_batch_norm=true\)$"),
        ("the trunk of 2 epochs", "of all$"),
    ],
)
def test_what_helps_a_run_that_others_start_from_is_said_where_it_is_declared(
    stage: str, how: str
) -> None:
    (row,) = rows_of(256, sync=False, depth=[50])
    with pytest.raises(InputError, match=how):
        check_given([replace(row, processes=4, cell=replace(row.cell, stage=stage))], 4)


@pytest.mark.slow
def test_a_network_without_batch_norm_may_take_any_number(cache_dir: Path) -> None:
    keep_counts_in(cache_dir)
    settings = composed("train", ["model=vit", "device=cuda", "train.batch_size=1024"])
    cells, _ = cells_of({"name": "g", "axes": {"depth": [2]}}, settings, PRIOR)
    (row,) = plan(cells, NOWHERE, {}, PRIOR)
    check_given([replace(row, processes=4)], 4)
    room = 1.01 * (memory_bytes(row.run, 4) or 0) / USABLE
    (found,), _ = chosen([row], Wish(room, None))
    assert found.processes == 4


def test_accumulation_is_named_where_no_number_of_gpus_holds_a_step() -> None:
    (row,) = rows_of(256, depth=[50])
    least = memory_bytes(row.run, 128)  # two images on each
    _, lines = chosen([row], Wish(0.5 * least, None))
    assert "nor with any train.accumulation" in lines[0]
    (large,) = rows_of(4096, depth=[50], resolution=[224])
    _, lines = chosen([large], Wish(0.9 * memory_bytes(large.run, 512) / USABLE, None))
    assert (
        "train.accumulation=2 would fit on 512: another run, whose batch norm sees 2048" in lines[0]
    )


def test_the_size_of_a_gpu_is_set_or_that_of_its_data_sheet() -> None:
    assert wish_of({"gpus_per_run": 4}, PRIOR) is None
    auto = {"gpus_per_run": "auto", "gpu_memory_gb": None, "target_hours": 24}
    assert wish_of(auto, PRIOR) == Wish(80e9, 24)
    assert wish_of(auto | {"gpu_memory_gb": 40}, PRIOR) == Wish(40e9, 24)
    with pytest.raises(InputError, match=r"launcher\.target_hours=0\.0: must be above 0"):
        wish_of(auto | {"target_hours": 0}, PRIOR)


def on_one_trunk(lengths: list[int]) -> list[Planned]:
    train = TINY["train"] | {"batch_size": 256, "sync_batch_norm": True, "schedule": "wsd"}
    data = TINY["data"] | {"train_per_class": 256}
    settings = TINY | {"device": "cuda", "precision": "bf16", "train": train, "data": data}
    anchors = [{"epochs": length} for length in (min(lengths), max(lengths))]
    grid = {"name": "g", "axes": {"epochs": lengths}}
    cells, _ = cells_of(grid | {"one_trunk": {"anchors": anchors, "margin": 0.1}}, settings, PRIOR)
    return [row for row in plan(cells, NOWHERE, {}, PRIOR) if row.run.on_trunk]


def test_runs_that_go_on_from_a_trunk_take_as_many_gpus_as_it() -> None:
    longest, short, middle = rows = on_one_trunk([400, 2, 100])
    four = PRIOR.of_processes(4).whole(longest.run, longest.columns)
    assert four is not None
    wish = Wish(80e9, 1.01 * four.value / 3600)
    assert chosen([short], wish)[0][0].processes < 4
    assert {row.processes for row in chosen(rows, wish)[0]} == {4}
    # What is trained already stays, and those behind it take as many.
    done = {short.run.run_id: Result(**describe(short.run), status="ok", world_size=2)}
    trained = replace(short, state="ok")
    found, _ = allotted([longest, trained, middle], wish, PRIOR, NOWHERE, done)
    assert {row.processes for row in found} == {2}
    check_processes(found, NOWHERE, done)
    alone = [replace(row, processes=1) for row in found]
    with pytest.raises(InputError, match=r"2 process\(es\) trained it, and 1 would go on"):
        check_processes(alone, NOWHERE, done)
    # Those that have ended, or are under way, ask for nothing.
    check_processes([replace(row, state="running") for row in alone], NOWHERE, done)
