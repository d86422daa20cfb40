"""Runs that the cells of a grid start from: identity, sharing, and what is refused."""

from typing import Any

import pytest

from helpers.made_up_times import NOTHING
from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.models.initial_weights import ParentRun

LONG = {"parents": {"long": {"epochs": 4, "data.classes": 6}}}


def planned(overrides: tuple[str, ...] = (), **grid: Any) -> tuple[list[Cell], list[Cell]]:
    """The cells of a grid, and the runs that they start from."""
    cells, _ = cells_of({"name": "g", **grid}, TINY, NOTHING, overrides)
    return cells, ancestors(cells)


def test_a_child_has_its_parent_in_its_id_and_their_seeds_in_no_cell() -> None:
    axes = {"init": ["none", "run(long)"], "depth": [14, 26], "seed": [0, 1], "epochs": [2, 3]}
    cells, parents = planned(**LONG, axes=axes)
    assert (len(cells), len(parents)) == (16, 4)
    assert {(p.stage, p.run.train.epochs, p.run.data.classes) for p in parents} == {("long", 4, 6)}
    by_id = {p.run.run_id: p.run for p in parents}
    children = [cell.run for cell in cells if cell.run.init]
    for run in children:
        (parent,) = run.parents
        assert (by_id[parent].model, by_id[parent].seed) == (run.model, run.seed)
        typed = tiny(**{"model.depth": run.model.depth, "train.epochs": run.train.epochs})
        same = tiny(
            **{"model.depth": run.model.depth, "train.epochs": run.train.epochs},
            init=f"run:{parent}",
            seed=run.seed,
        )
        assert run.run_id == same.run_id  # as if the parent's id had been typed
        assert run.config_id != typed.config_id
    # Replicates of a child are one cell: depths x lengths.
    assert len({run.config_id for run in children}) == 4


def test_a_parent_of_one_seed_is_shared_by_all_children() -> None:
    one = {"parents": {"long": {"epochs": 4, "same": ["model"]}}}
    cells, parents = planned(**one, axes={"init": ["run(long)"], "seed": [0, 1, 2]})
    assert [p.run.seed for p in parents] == [0]
    assert {cell.run.parents for cell in cells} == {(parents[0].run.run_id,)}
    assert len({cell.run.config_id for cell in cells}) == 1


def test_parents_have_parents_and_come_first() -> None:
    chain = {"a": {"epochs": 3}, "b": {"epochs": 4, "init": "run(a)"}}
    (cell,), parents = planned(parents=chain, points=[{"init": "run(b)"}])
    assert [p.stage for p in parents] == ["a", "b"]
    assert parents[1].run.parents == (parents[0].run.run_id,)
    assert cell.run.parents == (parents[1].run.run_id,)


def test_a_parent_that_is_a_cell_is_planned_once() -> None:
    """Training that goes on: the longer children start from the shorter cells."""
    points = [{"epochs": 2}, {"epochs": 3, "init": "run(short)"}]
    cells, parents = planned(parents={"short": {"epochs": 2}}, points=points)
    assert parents == []
    assert cells[1].run.parents == (cells[0].run.run_id,)


def test_what_cells_start_from_may_stand_at_the_top_of_the_file() -> None:
    settings = TINY | {"init": "run(long)"}
    cells, _ = cells_of({"name": "g", **LONG}, settings, NOTHING)
    assert [one.stage for one in ancestors(cells)] == ["long"]
    assert ancestors(cells)[0].run.init is None


@pytest.mark.slow
def test_a_parent_takes_files_of_groups_and_what_they_say_of_other_groups() -> None:
    words = ["+grid=smoke", "data=digits", "data.shift=0.2", "train.weight_decay=0.01"]
    settings = composed("sweep", [*words, "precision=fp32", "model.width=0.125", "model.depth=14"])
    settings["data"]["minival"] = 0.3  # as a grid's file may say
    recipe = {"train": "resnet_rs", "train.batch_size": 64, "epochs": 6}
    given = {"images": {"data": "fractals_16"}, "recipe": recipe}
    points = [{"init": f"run({name})"} for name in given]
    cells, _ = cells_of({"name": "g", "parents": given, "points": points}, settings, NOTHING, words)
    images, recipe = (one.run for one in ancestors(cells))
    # The data set is as its file has it, the rest as the command has it.
    assert (images.data.name, images.data.shift, images.data.minival) == ("fractals", 0.1, 0.1)
    assert images.train == cells[0].run.train
    assert images.train.weight_decay == 0.01
    # A recipe sets what it sets in other groups, but nothing that the grid's file has set.
    assert (recipe.data.name, recipe.data.shift, recipe.data.minival) == ("digits", 0.2, 0.3)
    assert (recipe.train.weight_decay, recipe.model.dropout) == (4e-5, 0.25)
    assert (recipe.data.randaugment_layers, cells[1].run.data.randaugment_layers) == (2, 0)


def test_an_equal_compute_axis_is_solved_before_its_parent_is_known() -> None:
    solve = {"width": {"flops": [4e5, 2e6], "tolerance": 0.5}}
    cells, parents = planned(**LONG, points=[{"init": "run(long)"}], solve=solve)
    assert len(cells) == len(parents) == 2
    assert [p.run.model.width for p in parents] == [c.run.model.width for c in cells]


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ({"points": [{"init": "run(lang)"}]}, r"no such parent \(did you mean long\?\)"),
        ({"points": [{"init": "run(long"}]}, r"init=run\(long: must be none, timm:PATH"),
        ({"parents": {"long": {"init": "run(long)"}}}, "a run cannot start from itself: long, "),
        (
            {"parents": {"long": {"init": "run(b)"}, "b": {"init": "run(long)"}}},
            "cannot start from itself: long, which starts from b, which starts from long",
        ),
        ({"parents": {"long": {"epoch": 3}}}, r"parents\.long\.epoch: no such axis \(did you mean"),
        ({"parents": {"long": {"same": ["modle"]}}}, r"same=modle: no such setting \(did you mean"),
        ({"parents": {"long": {"same": "model"}}}, "must be a list of settings or groups"),
        ({"parents": {"long": 3}}, "must map settings to values"),
        ({"parents": ["long"]}, "must map names to the settings of runs"),
        ({"parents": {"long": {"data": "fractal"}}}, "data=fractal: .*did you mean"),
        ({"points": [{"init": "run(long)", "epochs": 0}]}, r"run with init=run\(long\), train.ep"),
        ({"parents": {"long": {"epochs": 0}}}, r"grid\.parents\.long: train\.epochs=0"),
        ({"parents": {"long": {"depth": 26}}}, r"init=run\(long\): it is of another network"),
    ],
)
def test_a_parent_that_cannot_be_is_refused_before_anything_is_planned(
    grid: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        planned(**{**LONG, "points": [{"init": "run(long)"}], **grid})


def test_what_a_run_says_of_its_parent_beside_its_id_is_no_part_of_its_own() -> None:
    plain, named = ParentRun(run="d14-a"), ParentRun(run="d14-a", cell="d14", name="long")
    assert (str(plain), str(named)) == ("run:d14-a", "run(long)")
    one, other = (
        tiny(init={"run": "d14-a"}),
        tiny(init={"run": "d14-a", "cell": "d14", "name": "x"}),
    )
    assert one.run_id == other.run_id
    assert one.config_id != other.config_id
