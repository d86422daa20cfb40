"""Runs that cells start from with their settings in the cell, as `init: run(epochs=4)`."""

from typing import Any

import pytest

from helpers.made_up_times import NOTHING
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.grid.parent_expression import Asked, asked_in


def planned(*points: dict[str, Any], **grid: Any) -> tuple[list[Cell], list[Cell]]:
    """The cells at these points, and the runs that they start from."""
    cells, _ = cells_of({"name": "g", "points": [*points], **grid}, TINY, NOTHING)
    return cells, ancestors(cells)


@pytest.mark.parametrize(
    ("own", "inside"),
    [
        ({"epochs": 4}, "epochs=4"),
        ({"epochs": 4, "data.classes": 6}, " epochs = 4,data.classes=6 "),
        ({"train.weight_decay": 1e-4, "same": ["model"]}, "train.weight_decay=1e-4, same=[model]"),
        ({"epochs": 3, "init": "run(first)"}, "epochs=3, init=run(first)"),
    ],
)
def test_it_is_the_run_that_the_same_settings_under_a_name_are(
    own: dict[str, Any], inside: str
) -> None:
    first = {"first": {"epochs": 2}}
    named, before = planned({"init": "run(long)", "seed": 1}, parents={"long": own, **first})
    cells, parents = planned({"init": f"run({inside})", "seed": 1}, parents=first)
    assert [cell.run.run_id for cell in cells] == [cell.run.run_id for cell in named]
    assert [cell.run.config_id for cell in cells] == [cell.run.config_id for cell in named]
    assert [p.run.run_id for p in parents] == [p.run.run_id for p in before]


def test_all_spellings_and_children_share_it() -> None:
    inits = ("run(epochs=4,data.classes=6)", "run( epochs = 4 , data.classes=6)")
    cells, parents = planned(*({"init": init, "epochs": n} for init in inits for n in (2, 3)))
    assert len(cells) == 2
    assert [p.stage for p in parents] == ["epochs=4, data.classes=6"]
    assert {str(cell.run.init) for cell in cells} == {"run(epochs=4, data.classes=6)"}


def test_it_may_start_from_another_that_is_written_out() -> None:
    (cell,), (first, second) = planned(
        {"init": "run(epochs=3, init=run(epochs=2, data.classes=6))"}
    )
    assert (first.run.train.epochs, second.run.train.epochs) == (2, 3)
    assert second.run.parents == (first.run.run_id,)
    assert cell.run.parents == (second.run.run_id,)


@pytest.mark.slow
def test_a_teacher_may_be_written_out() -> None:
    settings = composed("sweep", ["+grid=smoke", "data=fractals_small", "train.pseudo_share=0.5"])
    points = [{"teacher": "run(epochs=4)", "data.pool_images": 40, "train.pseudo_share": 0.5}]
    cells, _ = cells_of({"name": "g", "points": points}, settings, NOTHING)
    (cell,), (parent,) = cells, ancestors(cells)
    assert parent.run.train.epochs == 4
    assert cell.run.parents == (parent.run.run_id,)


def test_commas_within_brackets_and_quotes_part_no_settings() -> None:
    asked = asked_in("init", "run(same=[model, seed], data.root='a, b', epochs=3)")
    assert asked is not None
    assert asked.settings == {"same": ["model", "seed"], "data.root": "a, b", "epochs": 3}


@pytest.mark.parametrize("value", [None, "none", "run:d14-a", "timm:a.pth", 3, "run(long"])
def test_other_values_ask_for_no_run_of_the_grid(value: object) -> None:
    assert asked_in("init", value) is None


def test_a_plain_word_is_a_name() -> None:
    assert asked_in("init", " run( long ) ") == Asked("long")


@pytest.mark.parametrize(
    ("init", "why"),
    [
        ("run()", r"init=run\(\): between the brackets stand a name under grid\.parents, or"),
        ("run(a b)", r"init=run\(a b\): between the brackets"),
        ("run(epochs=4, 3)", "between the brackets"),
        ("run(epochs=)", "between the brackets"),
        ("run(epochs=4, epochs=5)", "between the brackets"),
        ("run(epochs=[4)", "between the brackets"),
        ("run(epoch=4)", r"run\(epoch=4\)\.epoch: no such axis \(did you mean"),
        ("run(epochs=0)", r"run\(epochs=0\): train\.epochs=0"),
        ("run(same=model)", "must be a list of settings or groups"),
        ("run(data=fractal)", "data=fractal: .*did you mean"),
        ("run(depth=26)", r"init=run\(depth=26\): it is of another network"),
    ],
)
def test_what_makes_no_run_is_refused(init: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        planned({"init": init})


def test_names_that_are_known_leave_out_what_is_written_out() -> None:
    points = ({"init": "run(epochs=4)"}, {"init": "run(lang)"})
    with pytest.raises(InputError, match=r"did you mean long\?\); grid\.parents has long$"):
        planned(*points, parents={"long": {"epochs": 4}})
