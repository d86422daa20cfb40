"""What a plan says that labels of teachers cost: each once, in totals, budgets and the makespan."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.made_up_times import NOTHING, law, timings
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.config.teaching import file_of
from scaling_study.cost.closed_form import describe, run_cost
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import amounts
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.planning.budget import Budget
from scaling_study.planning.expenses import expense_lines
from scaling_study.planning.labels import labelled_by, to_label
from scaling_study.planning.order import makespan, to_do
from scaling_study.planning.plan import Planned, plan
from scaling_study.planning.plan_table import table
from scaling_study.study.result import Result
from scaling_study.study.store import Store

SETTINGS = TINY | {
    "data": TINY["data"] | {"pool_images": 0},
    "train": TINY["train"] | {"pseudo_share": 0.0, "pseudo_threshold": 0.0},
}
TAUGHT = {"teacher": "run(t)", "train.pseudo_share": 0.5}
GRID: dict[str, Any] = {
    "name": "g",
    "parents": {"t": {"epochs": 1, "train.warmup_epochs": 0}},
    "variants": {
        "independent": {
            "plain": {},
            "few": TAUGHT | {"data.pool_images": 30},
            "many": TAUGHT | {"data.pool_images": 300},
            "sure": TAUGHT | {"data.pool_images": 300, "train.pseudo_threshold": 0.9},
        }
    },
    "axes": {"seed": [0, 1]},
}


def planned(results: Path, times: Times = NOTHING, **grid: Any) -> list[Planned]:
    cells, _ = cells_of(GRID | grid, SETTINGS, times)
    return plan([*ancestors(cells), *cells], Store(results), {}, times)


def flops_of(rows: Sequence[Planned]) -> float:
    return Budget(None, 1.0, fit=False).needed(rows)["train_flops"]


def test_labels_are_counted_once_for_all_that_share_them(tmp_path: Path) -> None:
    """Two teachers, of a seed each, and two pools: both thresholds share labels."""
    rows = planned(tmp_path)
    forward = run_cost(rows[0].run).flops
    assert forward is not None
    assert [one.flops for one in to_label(rows)] == [30 * forward] * 2 + [300 * forward] * 2
    trained = sum(row.cost.train_flops or 0 for row in rows)
    assert flops_of(rows) == trained + 660 * forward
    records = table(rows, GRID)
    assert sum(record["label_flops"] or 0 for record in records) == 660 * forward
    assert "label_flops" not in table([row for row in rows if not row.run.teacher], GRID)[0]
    # Half of a batch of 16 has labels of its own: twice the steps of 128 images, whatever the pool.
    steps = {row.cell.variant: row.cost.steps for row in rows if not row.stage}
    assert steps == {"plain": 16, "few": 32, "many": 32, "sure": 32}
    one = next(row for row in rows if row.cell.variant == "few")
    assert one.cost.train_flops == 3 * forward * 32 * 16
    assert one.columns["n_train"] == 128
    assert amounts(one.columns)[0] == 32  # what a forecast counts


def test_labels_that_are_there_are_spent_and_not_needed(tmp_path: Path) -> None:
    rows = planned(tmp_path)
    row = next(row for row in rows if row.cell.variant == "many")
    (teacher,) = (one.run for one in row.cell.parents)
    path = file_of(row.run, teacher, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    # Without the teacher's result it is trained anew, and its labels are made anew.
    assert flops_of(planned(tmp_path)) == flops_of(rows)
    done = Result(**describe(teacher), status="ok")
    cells = [row.cell for row in rows]
    again = plan(cells, Store(tmp_path), {teacher.run_id: done}, NOTHING)
    again = [replace(row, state="planned") for row in again]
    assert row.labelling is not None
    assert flops_of(again) == flops_of(rows) - (row.labelling.flops or 0)
    assert len(labelled_by(again)) == 4
    assert len(to_label(again)) == 3


def test_the_first_that_needs_labels_waits_for_them(tmp_path: Path) -> None:
    known = Times(timings(law, depth=[14, 26], width=[0.125, 0.25]), 1)
    rows = [row for row in planned(tmp_path, known) if row.run.seed == 0]
    times = {key: one.time.value for key, one in labelled_by(rows).items() if one.time}
    # A batch of the teacher's is scored in a third of a training step's time.
    step = rows[0].step
    assert step is not None
    assert sorted(times.values()) == pytest.approx(
        [images / 16 / 3 * step.value for images in (30, 300)], rel=1e-6
    )
    together = sum(row.forecast_s or 0 for row in rows) + sum(times.values())
    assert makespan(rows, 1) == pytest.approx(together)


def test_a_run_that_two_parents_start_from_is_one(tmp_path: Path) -> None:
    """A diamond: weights and labels of a child come from runs that both start from a third."""
    child = TAUGHT | {"init": "run(b)", "data.pool_images": 8}
    parents = {"a": {"epochs": 3}, "b": {"init": "run(a)"}, "t": {"init": "run(a)", "epochs": 4}}
    a, b, t, row = planned(tmp_path, parents=parents, variants={}, axes={}, points=[child])
    assert [one.stage for one in (a, b, t, row)] == ["a", "b", "t", ""]
    assert b.run.parents == t.run.parents == (a.run.run_id,)
    assert row.run.parents == (b.run.run_id, t.run.run_id)
    first, *_, last = to_do([row, t, b, a])
    assert (first.run, last.run) == (a.run, row.run)


def test_price_and_upper_end_of_a_budget_have_the_labels(tmp_path: Path) -> None:
    known = Times(timings(law, depth=[14, 26], width=[0.125, 0.25]), 1)
    rows = planned(tmp_path, known)
    runs = [row.gpu_hours for row in rows if row.gpu_hours]
    labels = [one.gpu_hours for one in to_label(rows) if one.gpu_hours]
    assert (len(runs), len(labels)) == (len(rows), 4)
    (line,) = expense_lines(rows, known, False, None, 1e9)
    hours = sum(one.value for one in (*runs, *labels))
    assert f"price: {1e9 * hours:,.0f} (" in line
    high = sum(one.high for one in (*runs, *labels))
    assert f"interval, {high:.3g}, exceeds" in Budget(hours * 1.001, None, False).may_exceed(rows)


def test_a_teacher_is_part_of_its_childs_cell_as_other_parents_are(tmp_path: Path) -> None:
    rows = planned(tmp_path)
    children = [row for row in rows if row.run.teacher]
    assert {row.state for row in children} == {"blocked"}
    assert len({row.run.config_id for row in children}) == 3
    for row in children:
        (teacher,) = (one.run for one in row.cell.parents)
        assert (teacher.seed, teacher.model) == (row.run.seed, row.run.model)
        assert row.run.parents == (teacher.run_id,)
    own_classes = {"parents": {"t": {"data.classes": 5}}}
    with pytest.raises(InputError, match=r"teacher=run\(t\): it knows 5 classes, data=fractals h"):
        planned(tmp_path, **own_classes)
    with pytest.raises(InputError, match=r"teacher=run\(u\): no such parent"):
        planned(tmp_path, variants={"independent": {"taught": TAUGHT | {"teacher": "run(u)"}}})


def test_an_axis_is_solved_for_what_a_student_trains(tmp_path: Path) -> None:
    """The FLOPs of training include the pool's images."""
    grid = {"variants": {"independent": {"few": TAUGHT | {"data.pool_images": 30}}}}
    three = next(row for row in planned(tmp_path, **grid, axes={"epochs": [3]}) if not row.stage)
    target = three.cost.train_flops
    rows = planned(tmp_path, **grid, axes={}, solve={"epochs": {"train_flops": [target]}})
    (row,) = (row for row in rows if not row.stage)
    assert (row.run.run_id, row.run.train.epochs) == (three.run.run_id, 3)


def test_a_share_at_the_top_of_the_file_is_not_the_teachers(tmp_path: Path) -> None:
    train = SETTINGS["train"] | {"pseudo_share": 0.5}
    data = SETTINGS["data"] | {"pool_images": 30}
    settings = SETTINGS | {"train": train, "data": data, "teacher": "run(t)"}
    cells, _ = cells_of({"name": "g", "parents": {"t": {"epochs": 3}}}, settings, NOTHING)
    (teacher,) = ancestors(cells)
    assert teacher.run.train.pseudo_share == 0
    assert teacher.run.teacher is None


def test_a_teacher_may_be_an_axis_with_a_share_that_goes_along(tmp_path: Path) -> None:
    pool = {"train.pseudo_share": [0.5], "data.pool_images": [30]}
    axes = {"axes": {"teacher": ["none", "run(t)"]}}
    rows = planned(tmp_path, variants={}, **axes, when=[{"if": "teacher != 'none'", "axes": pool}])
    taught = [row.run.teacher is not None for row in rows if not row.stage]
    assert sorted(taught) == [False, True]
