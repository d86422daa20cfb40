"""Grids: products, tied points, and what is refused."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_study.errors import InputError
from scaling_study.grid import axis_keys, expand

KNOWN = [
    "model.depth",
    "model.width",
    "data.resolution",
    "train.epochs",
    "seed",
    "train.lr_per_256",
]

axis = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)


@given(axis, axis, axis)
def test_axes_are_a_product_in_the_order_written(a: list[int], b: list[int], c: list[int]) -> None:
    points = expand({"axes": {"depth": a, "width": b, "seed": c}}, KNOWN)
    assert [tuple(p.values()) for p in points] == list(product(a, b, c))
    assert set(points[0]) == {"model.depth", "model.width", "seed"}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1), axis)
def test_points_are_tied_then_multiplied_and_each_comes_once(
    tied: list[tuple[int, int]], seeds: list[int]
) -> None:
    grid = {"points": [{"depth": d, "width": w} for d, w in tied], "axes": {"seed": seeds}}
    points = [(p["model.depth"], p["model.width"], p["seed"]) for p in expand(grid, KNOWN)]
    assert points == [(d, w, s) for (d, w), s in product(dict.fromkeys(tied), seeds)]


@pytest.mark.parametrize(
    ("text", "values"),
    [("range(3)", [0, 1, 2]), ("range(0.25,1,0.25)", [0.25, 0.5, 0.75]), ("1,2.5", [1, 2.5])],
)
def test_hydras_sweep_grammar(text: str, values: list[Any]) -> None:
    assert [p["seed"] for p in expand({"axes": {"seed": text}}, KNOWN)] == values


def test_no_axes_is_one_point() -> None:
    assert expand({"name": "one"}, KNOWN) == [{}]


def test_dotted_key_is_an_axis() -> None:
    assert expand({"axes": {"train.lr_per_256": [0.1]}}, KNOWN) == [{"train.lr_per_256": 0.1}]
    assert axis_keys({"axes": {"depth": [1]}, "points": [{"width": 1}]}) == {
        "model.depth",
        "model.width",
    }


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"axes": {"dpeth": [14]}}, r"grid.axes.dpeth: no such axis \(did you mean depth\?\)"),
        ({"axes": {"model.widht": [1]}}, "did you mean model.width"),
        ({"points": [{"dept": 14}]}, "grid.points.dept: no such axis"),
        ({"axis": {"depth": [14]}}, r"grid.axis: no such part of a grid \(did you mean axes"),
        ({"axes": {"depth": []}}, "must be a list of values"),
        ({"axes": {"depth": 14}}, "must be a list of values"),
        ({"axes": {"depth": "range(1"}}, "not a sweep of Hydra's"),
        ({"axes": [14]}, "must map axis names"),
        ({"points": {"depth": 14}}, "must be a list of mappings"),
        ({"axes": {"depth": [14]}, "points": [{"depth": 26}]}, "model.depth is in axes and in"),
    ],
)
def test_a_bad_grid_is_refused(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        expand(grid, KNOWN)
