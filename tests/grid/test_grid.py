"""Grids: products, tied points, and what is refused."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_study.common.errors import InputError
from scaling_study.grid.declared import axis_keys
from scaling_study.grid.expand import candidates

KNOWN = dict.fromkeys(
    [
        "model.depth",
        "model.width",
        "data.resolution",
        "train.epochs",
        "seed",
        "train.lr_per_256",
    ]
)

axis = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)


def expand(grid: dict[str, Any], known: dict[str, Any]) -> list[dict[str, Any]]:
    """Distinct points, in order, that pass all conditions on axes; solves are not done."""
    points: dict[str, dict[str, Any]] = {}
    for candidate in candidates(grid, lambda files: known):
        if not candidate.out:
            points.setdefault(repr(sorted(candidate.point.items())), candidate.point)
    return list(points.values())


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
        (
            {"axes": {"depth": [14], "model.depth": [26]}},
            "grid.axes: depth and model.depth are the same setting; leave one",
        ),
        ({"points": [{"depth": 14, "model.depth": 26}]}, "grid.points: depth and model.depth are"),
        (
            {"variants": {"cumulative": {"a": {"seed": 1}, "b": {"width": 1, "model.width": 2}}}},
            "grid.variants.cumulative.b: width and model.width are the same setting",
        ),
        (
            {"solve": {"width": {"flops": [1], "tolerance": 30}}},
            "grid.solve.width.tolerance=30: must be a number above 0 and below 1, as 0.05 for 5 %",
        ),
    ],
)
def test_a_bad_grid_is_refused(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        expand(grid, KNOWN)


SETTINGS = dict.fromkeys(KNOWN, 1) | {"train.schedule": "cosine", "model.dropout": 0.0}


def cells(grid: dict[str, Any]) -> list[dict[str, Any]]:
    return expand(grid, SETTINGS)


def test_blocks_are_a_union_that_shares_the_top() -> None:
    grid = {
        "axes": {"epochs": [10, 100]},
        "blocks": [
            {"axes": {"depth": [101, 200]}, "points": [{"width": 1}]},
            {"axes": {"width": [1, 2]}, "points": [{"depth": 101}]},
        ],
    }
    found = [(p["train.epochs"], p["model.depth"], p["model.width"]) for p in cells(grid)]
    both = [(101, 1), (200, 1), (101, 2)]
    assert set(found) == {(e, d, w) for e in (10, 100) for d, w in both}
    assert len(found) == 6  # the base is in both blocks, and counts once


def test_more_axes_where_a_condition_holds() -> None:
    grid = {
        "axes": {"epochs": [10, 350]},
        "when": [
            {"if": "epochs > 100", "axes": {"model.dropout": [0.1, 0.2]}},
            {"if": "epochs > 100 and model.dropout == 0.2", "points": [{"seed": 5}]},
        ],
    }
    assert cells(grid) == [
        {"train.epochs": 10},
        {"train.epochs": 350, "model.dropout": 0.1},
        {"train.epochs": 350, "model.dropout": 0.2, "seed": 5},
    ]


@given(axis, axis, st.integers(0, 9))
def test_where_keeps_what_all_conditions_hold_for(a: list[int], b: list[int], c: int) -> None:
    grid = {"axes": {"depth": a, "width": b}, "where": [f"depth <= {c}", "width != depth"]}
    expected = [(x, y) for x, y in product(a, b) if x <= c and x != y]
    assert [(p["model.depth"], p["model.width"]) for p in cells(grid)] == expected


def test_conditions_may_ask_for_settings_that_do_not_vary() -> None:
    assert cells({"axes": {"depth": [1, 2]}, "where": ["train.schedule == 'step'"]}) == []


def test_variants_add_up_or_stand_alone() -> None:
    rows = {"plain": {}, "dropout": {"model.dropout": 0.1}, "step": {"train.schedule": "step"}}
    added = cells({"variants": {"cumulative": rows}})
    assert added[2] == {"variant": "step", "model.dropout": 0.1, "train.schedule": "step"}
    alone = cells({"variants": {"independent": rows}, "where": ["variant != 'plain'"]})
    assert alone == [
        {"variant": "dropout", "model.dropout": 0.1},
        {"variant": "step", "train.schedule": "step"},
    ]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"blocks": [{"axis": {}}]}, r"grid.blocks\[0\].axis: no such part .* mean axes"),
        ({"blocks": [{"axes": {"dpth": [1]}}]}, r"grid.blocks\[0\].axes.dpth: .*mean depth"),
        ({"blocks": []}, "must be a list of blocks"),
        ({"blocks": [{"name": "a"}]}, r"grid.blocks\[0\].name: no such part"),
        (
            {"axes": {"depth": [1]}, "blocks": [{"points": [{"depth": 2}]}]},
            r"grid.blocks\[0\]: model.depth is in the top of the grid and in this block",
        ),
        ({"where": "depth > 1"}, "grid.where='depth > 1': must be a list"),
        ({"where": ["dept > 1"]}, "dept: no such setting, axis or cost .did you mean depth"),
        ({"where": ["depth >"]}, "ends too early"),
        ({"where": [True]}, "must be a condition in quotes"),
        ({"when": [{"axes": {"depth": [1]}}]}, "must be a condition in quotes"),
        ({"when": [{"if": "depth > 1", "axs": {}}]}, r"grid.when\[0\].axs: .*mean axes"),
        ({"when": [{"if": "flops > 1", "axes": {"depth": [1]}}]}, "flops is a cost; only where"),
        (
            {"axes": {"depth": [1]}, "when": [{"if": "depth > 0", "axes": {"depth": [2]}}]},
            "model.depth is set already where",
        ),
        ({"variants": {"cumulativ": {}}}, "grid.variants.cumulativ: .*mean cumulative"),
        ({"variants": {"cumulative": {"a": 1}}}, "must map names to overrides"),
        (
            {"variants": {"independent": {"a": {"train.lr": 1}}}},
            "grid.variants.independent.a.train.lr: no such axis .did you mean train.lr_per_256",
        ),
        ({"solve": {"seed": {"flops": [1]}}}, "grid.solve.seed: no such part"),
        ({"solve": {"width": {"flop": [1]}}}, "grid.solve.width.flop: .*mean flops"),
        ({"solve": {"width": {"flops": [0]}}}, "must be a number above 0"),
        ({"solve": {"width": {"flops": []}}}, "must be a list of values"),
        ({"solve": {"width": {"flops": [1], "params": [1]}}}, "targets of one of"),
        ({"solve": {"width": {"flops": [1]}, "depth": {"flops": [1]}}}, "one axis at a time"),
        ({"solve": {"epochs": {"flops": [1]}}}, "epochs does not change flops"),
        ({"axes": {"width": [1]}, "solve": {"width": {"flops": [1]}}}, "is in axes and in solve"),
    ],
)
def test_a_bad_word_of_the_language_is_refused(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cells(grid)


def test_axes_of_every_part_are_known_before_they_are_checked() -> None:
    grid = {
        "solve": {"width": {"flops": [1]}},
        "variants": {"cumulative": {"a": {"model.dropout": 0}}},
        "blocks": [{"axes": {"depth": [1]}, "when": [{"if": "x", "axes": {"seed": [1]}}]}],
    }
    assert axis_keys(grid) == {"model.width", "model.dropout", "model.depth", "seed"}
