"""The one list of axes, and the axes that a grid adds to it."""

import pytest

from scaling_study.study.axes import (
    AXES,
    cell_axes,
    config_key,
    display_name,
    length_of,
    ordered,
    own_axes,
    short_name,
    spaced_name,
)


def test_names_and_keys_of_the_common_axes() -> None:
    assert [axis.name for axis in AXES] == ["depth", "width", "resolution", "epochs", "seed"]
    assert [axis.name for axis in AXES if axis.replicate] == ["seed"]
    assert (config_key("width"), short_name("model.width")) == ("model.width", "width")
    assert (config_key("train.x"), short_name("train.x")) == ("train.x", "train.x")


def test_what_a_grid_crosses_is_an_axis_of_its_own() -> None:
    grid = {
        "axes": {"depth": [1, 2], "model.width": [1], "train.batch_size": [8, 16]},
        "points": [{"train.weight_decay": 0.1}],
        "when": [{"axes": {"model.dropout": [0, 1], "train.momentum": [0.9]}}],
        "blocks": [{"axes": {"data.name": ["a", "b"]}}],
        "labels": {"train.batch_size": "batch size (images)"},
    }
    own = own_axes(grid)
    assert [(axis.name, axis.prefix, axis.label) for axis in own] == [
        ("data.name", "name", "name"),
        ("model.dropout", "dropout", "dropout"),
        ("train.batch_size", "bs", "batch size (images)"),
    ]
    values = {"depth": 26, "width": 0.5, "resolution": 32, "epochs": 10, "seed": 3}
    values |= {"train.batch_size": 128, "model.dropout": 0.25, "data.name": "a"}
    name = display_name(values, own)
    assert name == "d26-w0.5-r32-e10-name=a-dropout0.25-bs128-s3"
    assert spaced_name(values, own) == "d26 w0.5 32px 10ep name=a dropout0.25 bs128 s3"
    del values["seed"], values["model.dropout"]
    assert display_name(values, own) == "d26-w0.5-r32-e10-name=a-bs128"
    # A program may count steps, and have no images.
    values["resolution"] = 1
    assert display_name(values, own) == "d26-w0.5-e10-name=a-bs128"
    assert spaced_name(values, own, "steps") == "d26 w0.5 10 steps name=a bs128"


def test_a_studys_length_of_training_has_its_own_name() -> None:
    assert length_of({"task": {"name": "command", "length": "steps"}}) == "steps"
    assert {length_of({}), length_of({"task": "my_tasks.ordinal"})} == {"epochs"}
    texts = [axis.text(3) for axis in cell_axes("steps", [1, 1])]
    assert texts == ["depth 3", "width 3", "3 steps"]
    texts = [axis.text(3) for axis in cell_axes("epochs", [1, 16])]
    assert texts == ["depth 3", "width 3", "3 px", "3 ep"]


@pytest.mark.parametrize(
    ("keys", "prefixes"),
    [
        (("model.patch_size", "train.batch_size"), ["ps", "bs"]),
        (("data.big_shift", "train.batch_size"), ["data.big_shift", "train.batch_size"]),
        (("data.w",), ["data.w"]),
    ],
)
def test_prefixes_tell_axes_apart(keys: tuple[str, ...], prefixes: list[str]) -> None:
    assert [a.prefix for a in own_axes({"axes": {key: [1, 2] for key in keys}})] == prefixes


def test_values_are_ordered_as_numbers_where_they_are_numbers() -> None:
    assert ordered(["128", "64", "none", "1e-4", "64"]) == ["1e-4", "64", "128", "none"]
