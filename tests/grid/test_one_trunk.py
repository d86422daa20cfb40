"""Grids whose lengths share a trunk: what goes on from what, what it saves, what is refused."""

from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from helpers.made_up_times import NOTHING, law, timings
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import amounts
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.grid.one_trunk import read_one_trunk
from scaling_study.planning.budget import Budget
from scaling_study.planning.order import to_do
from scaling_study.planning.plan import Planned, plan
from scaling_study.planning.plan_table import table
from scaling_study.planning.trunk_savings import saving_lines
from scaling_study.study.store import Store

ENDS = [{"depth": 14, "epochs": 2}, {"depth": 14, "epochs": 5}]
GRID: dict[str, Any] = {
    "name": "g",
    "axes": {"epochs": [5, 2, 3], "depth": [14, 26], "seed": [0, 1]},
    "one_trunk": {"anchors": ENDS, "margin": 0.1},
}


def settings_of(**train: Any) -> dict[str, Any]:
    settings = deepcopy(TINY)
    settings["train"] |= {"schedule": "wsd", **train}
    return settings


def planned(train: dict[str, Any] | None = None, **grid: Any) -> list[Cell]:
    return cells_of(GRID | grid, settings_of(**(train or {})), NOTHING)[0]


def rows_of(times: Times = NOTHING, **grid: Any) -> list[Planned]:
    return plan(planned(**grid), Store(Path("none")), {}, times)


def test_each_run_goes_on_from_the_next_shorter_one_of_its_settings_and_seed() -> None:
    cells = planned()
    own = {c.run.run_id: c.run for c in cells if not c.anchor}
    assert len(own) == 12
    for run in own.values():
        if run.train.epochs == 2:
            assert run.parents == ()
            continue
        (parent,) = (own[name] for name in run.parents)
        shorter = {5: 3, 3: 2}[run.train.epochs]
        assert (parent.train.epochs, parent.model, parent.seed) == (shorter, run.model, run.seed)
        assert run.shared_steps(128) == int(0.8 * 8 * shorter + 0.5)
    assert ancestors(cells) == []
    # Another length, shorter or between, changes no run that there is.
    anchors = [{"depth": 14, "epochs": 1}, *ENDS]
    axes, one_trunk = GRID["axes"] | {"epochs": [5, 1, 2, 3, 4]}, {"anchors": anchors, "margin": 1}
    more = {c.run.run_id: c.run for c in planned(axes=axes, one_trunk=one_trunk)}
    assert {*own} < {*more}
    assert all(
        more[name].parents != run.parents for name, run in own.items() if run.train.epochs != 3
    )


def test_anchors_are_what_cosine_trains_alone() -> None:
    cells = planned()
    by_id = {cell.run.config_id: cell for cell in cells}
    anchors = [cell for cell in cells if cell.anchor]
    assert len(anchors) == 4
    for anchor in anchors:
        run, twin = anchor.run, by_id[anchor.anchor].run
        assert (run.parents, run.trunk, run.random_key) == ((), None, run.run_id)
        assert (run.model, run.train.epochs) == (twin.model, twin.train.epochs)
        ordinary = {"epochs": [run.train.epochs], "depth": [14], "seed": [run.seed]}
        (plain,), _ = cells_of({"name": "g", "axes": ordinary}, TINY, NOTHING)
        assert run.run_id == plain.run.run_id


@pytest.mark.parametrize(
    ("lengths", "percent"), [((10, 100, 350), 19), ((10, 30, 100, 200, 350), 39)]
)
def test_the_plan_saves_what_arithmetic_says(lengths: tuple[int, ...], percent: int) -> None:
    """Trained are 80 % of the longest and the last 20 % of each: 372 of 460, and 418 of 690."""
    alone, together = sum(lengths), 0.8 * max(lengths) + 0.2 * sum(lengths)
    assert round(100 * (1 - together / alone)) == percent
    ends = [{"depth": 14, "epochs": min(lengths)}, {"depth": 14, "epochs": max(lengths)}]
    axes = {"epochs": list(lengths), "seed": [0, 1]}
    rows = rows_of(axes=axes, one_trunk={"anchors": ends, "margin": 0.1})
    (line,) = saving_lines(rows)
    add = 100 * (min(lengths) + max(lengths)) / alone
    assert f"{2 * len(lengths)} runs of several lengths train {percent} % less than each" in line
    assert f"4 runs by cosine, the anchors, add {add:.0f} %" in line
    own = [row for row in rows if not row.cell.anchor]
    flops = Budget(None, 1.0, fit=False).needed(own)["train_flops"]
    whole = sum(row.cost.train_flops or 0 for row in own)
    assert flops / whole == pytest.approx(together / alone, abs=2e-3)  # whole steps
    assert saving_lines([row for row in rows if row.cell.anchor]) == []


def test_a_length_costs_its_own_part_and_is_compared_by_its_whole() -> None:
    times = Times(timings(law, depth=[14, 26, 50], width=[0.125, 0.25]), 1)
    rows = {row.run.run_id: row for row in rows_of(times)}
    for row in rows.values():
        run, columns = row.run, describe(row.run)
        steps, shared = 8 * run.train.epochs, run.shared_steps(128)
        assert columns["train_flops"] == 3 * columns["flops"] * 16 * steps
        assert row.cost.own_train_flops == row.work == 3 * columns["flops"] * 16 * (steps - shared)
        assert amounts(columns)[0] == steps - shared
        assert row.begins == shared / 8
    longest = max(rows.values(), key=lambda row: row.run.train.epochs)
    alone = times.whole(longest.run, describe(longest.run) | {"shared_flops": None})
    assert longest.time is not None
    assert alone is not None
    assert longest.time.value < alone.value
    written = {record["run_id"]: record for record in table([*rows.values()], GRID)}
    assert len({record["trunk"] for record in written.values()} - {None}) == 2
    record = written[longest.run.run_id]
    assert (record["train_flops"], record["parents"]) == (
        longest.cost.train_flops,
        longest.run.parents[0],
    )
    assert record["shared_flops"] == longest.cost.shared_flops
    assert {record["anchor"] for record in written.values()} > {None}
    # Runs start behind those that they go on from, the longest chains first.
    order = [row.run for row in to_do([*rows.values()])]
    assert all(order.index(rows[p].run) < i for i, run in enumerate(order) for p in run.parents)
    assert order[0].model.depth == 26


def test_evaluations_of_the_trunk_are_those_of_the_run_that_trains_it() -> None:
    curves = {"evaluate_every": 1}
    found = {
        c.run.train.epochs: c.run for c in planned(curves, axes={"epochs": [2, 5]}) if not c.anchor
    }
    forward, weights = describe(found[2])["flops"], 2
    ends = forward * (64 + 128)
    assert describe(found[2])["eval_flops"] == ends + 2 * weights * forward * (64 + 64)
    # The trunk of two epochs ends behind 13 of 16 steps, within the second epoch.
    assert describe(found[5])["eval_flops"] == ends + 4 * weights * forward * (64 + 64)


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ({"one_trunk": True}, "grid.one_trunk=True: must be a mapping with anchors, margin"),
        ({"one_trunk": {"margin": 0.1}}, "must list cells of which a run by cosine is trained too"),
        ({"one_trunk": {"anchors": ENDS}}, "margin=None: must be the largest difference"),
        ({"one_trunk": {"anchors": ENDS, "margin": 0}}, "margin=0: must be the largest difference"),
        (
            {"one_trunk": {"anchors": [{"deph": 14}], "margin": 0.1}},
            r"anchors\.deph: no such axis \(did you mean depth",
        ),
        (
            {"one_trunk": {"anchors": [{"depth": 50}], "margin": 0.1}},
            r"anchors: \{model\.depth: 50\}: no cell of the grid has these values",
        ),
        (
            {"one_trunk": {"anchors": ENDS[:1], "margin": 0.1}},
            "none is of 5 epochs; the shortest and the longest length need one each",
        ),
        ({"axes": {"epochs": [2]}}, "2 epochs is the only length of the grid"),
        (
            {"axes": {}, "points": [{"epochs": 2, "width": 0.25}, {"epochs": 3}]},
            "no two runs differ in the length alone: model.width differs too",
        ),
        ({"allocation": {"runs": 3}}, "grid.allocation: gives the lengths of one trunk other"),
        ({"one_trunk": None}, "train.one_trunk=true: a grid says it with grid.one_trunk"),
    ],
)
def test_grids_that_cannot_share_a_trunk_are_refused(grid: dict[str, Any], why: str) -> None:
    train = {"one_trunk": True} if grid.get("one_trunk", 0) is None else {}
    with pytest.raises(InputError, match=why):
        planned(train, **grid)


def test_another_schedule_or_a_recipe_that_changes_with_the_length_is_refused() -> None:
    with pytest.raises(InputError, match="schedule=cosine: has no constant part that lengths"):
        planned({"schedule": "cosine"})
    regimes = settings_of()
    regimes["model"]["dropout"] = "regime"
    rows = [{"epochs": e, "set": {"model.dropout": rate}} for e, rate in ((1, 0.1), (4, 0.25))]
    regimes["train"]["regimes"] = rows
    with pytest.raises(
        InputError, match=r"model\.dropout changes with the length, between 5 and 2"
    ):
        cells_of(GRID, regimes, NOTHING)


@pytest.mark.parametrize("declared", [None, {"anchors": ENDS, "margin": 0.1}])
@pytest.mark.parametrize("train", [[], "fixed", None])
def test_a_recipe_that_is_none_is_no_fault_of_ours(declared: Any, train: Any) -> None:
    """Without trunks others say what is wrong with it."""
    said = pytest.raises(InputError, match=r"train=.*must be the settings of a recipe")
    with said if declared else nullcontext():
        assert read_one_trunk({"one_trunk": declared}, {"train": train}) is None
