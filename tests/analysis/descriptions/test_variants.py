"""Variants and equal compute, row by row: the differences and intervals against their formulas."""

import math

import pytest
from scipy import stats

from analysis.descriptions.variants import step_lines, step_records
from analysis.figures.drawing.variant_plot import steps
from analysis.study.arms import pairs_of
from analysis.study.cells import cells_of
from analysis.study.study_cells import StudyCells

COST = {"step_time_s": 0.1, "flops": 1e6, "params": 1e5, "n_val": 1000, "lr": 0.1}


def rows_of(name: str, errors: tuple[float, ...], **values: object) -> list[dict[str, object]]:
    settings = {"depth": 14, "width": 1.0, "resolution": 32, "epochs": 5} | values
    key = "-".join(str(v) for v in (name, *settings.values()))
    return [
        settings | COST | {"config_id": key, "seed": seed, "val_error": error, "variant": name}
        for seed, error in enumerate(errors)
    ]


def test_each_variant_is_compared_with_the_one_before_and_with_the_first() -> None:
    grid = {"variants": {"cumulative": {"plain": {}, "a": {"train.x": 1}, "longer": {"epochs": 9}}}}
    rows = [
        *rows_of("plain", (0.50, 0.52), **{"train.x": 0}),
        *rows_of("a", (0.45, 0.47), **{"train.x": 1}),
        *rows_of("longer", (0.40, 0.44), epochs=9, **{"train.x": 1}),
    ]
    plain, a, longer = step_records(StudyCells.of(rows), rows, grid)
    assert plain["after"] is None
    assert plain["step"] is None
    assert (a["after"], longer["after"]) == ("plain", "a")
    assert a["step"] == pytest.approx(-0.05)
    assert longer["total"] == pytest.approx(-0.09)
    # Within a regime: pooled variance 2e-4, two degrees of freedom, two means of two runs.
    half = stats.t.ppf(0.975, 2) * math.sqrt(2e-4 / 2 + 2e-4 / 2)
    assert a["step_high"] - a["step"] == pytest.approx(half)
    # Between regimes each has its own variance and degrees of freedom, as in Welch's test.
    v, w = 8e-4 / 2, 2e-4 / 2
    df = (v + w) ** 2 / (v**2 / 1 + w**2 / 2)
    assert longer["step_high"] - longer["step"] == pytest.approx(
        stats.t.ppf(0.975, df) * math.sqrt(v + w)
    )


def test_independent_variants_are_compared_with_the_first() -> None:
    grid = {"variants": {"independent": {"plain": {}, "a": {"model.x": 1}, "b": {"model.y": 1}}}}
    rows = [
        *rows_of("plain", (0.5, 0.5), **{"model.x": 0, "model.y": 0}),
        *rows_of("a", (0.4, 0.42), **{"model.x": 1, "model.y": 0}),
        *rows_of("b", (0.6, 0.58), **{"model.x": 0, "model.y": 1}),
    ]
    assert [r["after"] for r in step_records(StudyCells.of(rows), rows, grid)] == [
        None,
        "plain",
        "plain",
    ]


def test_blocks_of_variants_are_series_of_their_own_even_with_equal_names() -> None:
    named = {"variants": {"cumulative": {"none": {}, "ra": {"data.n": 2}}}}
    grid = {"axes": {"train.decay": [1, 2]}, "blocks": [named, named]}
    rows = [
        row
        for depth in (50, 200)
        for decay in (1, 2)
        for name, n in (("none", 0), ("ra", 2))
        for row in rows_of(name, (0.3,), depth=depth, **{"train.decay": decay, "data.n": n})
    ]
    found = step_records(StudyCells.of(rows), rows, grid)
    assert len({r["series"] for r in found}) == 4
    assert "variants, depth 200, train.decay 2" in {r["series"] for r in found}
    assert all(r["step_low"] < r["step"] < r["step_high"] for r in found if r["after"])


def test_cells_of_equal_compute_are_compared_along_the_axis_that_was_not_solved() -> None:
    rows = [
        row
        | {"solved": "width", "solve_for": "train_flops", "solve_target": target, "variant": None}
        for target in ("4e11", "8e11")
        for px, width, error in ((48, 0.5, 0.3), (16, 2.0, 0.5), (32, 1.0, 0.25))
        for row in rows_of(target, (error, error + 0.01), resolution=px, width=width)
    ]
    found = step_records(StudyCells.of(rows), rows, {})
    assert [r["name"] for r in found[:3]] == [
        "resolution 16, width 2",
        "resolution 32, width 1",
        "resolution 48, width 0.5",
    ]
    assert [r["step"] for r in found[:3]] == [None, pytest.approx(-0.25), pytest.approx(0.05)]
    assert {r["series"] for r in found} == {"equal train_flops 4e+11", "equal train_flops 8e+11"}


def test_a_study_without_either_has_no_steps() -> None:
    rows = [row | {"variant": None} for row in rows_of("x", (0.5, 0.4))]
    assert step_records(StudyCells.of(rows), rows, {}) == []


def test_variants_are_no_arms_and_arms_are_compared_within_a_variant() -> None:
    sizes = [(14, 1.0), (26, 1.0), (14, 2.0)]
    rows = [
        row
        for variant in ("plain", "a")
        for depth, width in sizes
        for row in rows_of(variant, (0.5, 0.4), depth=depth, width=width)
    ]
    cells = cells_of(rows)
    base = {"depth": 14, "width": 1.0}
    assert pairs_of([c for c in cells if c.depth * c.width == 14], base, 5, "flops") == []
    pairs = pairs_of(cells, base, 5, "flops")
    assert [{c.variant for c in pair.cells} for pair in pairs] == [{"a"}, {"plain"}]
    assert [len(pair.cells) for pair in pairs] == [4, 4]


def test_lines_and_figure_have_every_row() -> None:
    grid = {"variants": {"cumulative": {"plain": {}, "a": {"train.x": 1}}}}
    rows = [
        *rows_of("plain", (0.5, 0.5), **{"train.x": 0}),
        *rows_of("a", (0.4, 0.4), **{"train.x": 1}),
    ]
    records = step_records(StudyCells.of(rows), rows, grid)
    said = step_lines(records)
    assert "50.0 %" in said[1]
    assert "-10.0 pp [-10.0, -10.0]" in said[2]
    errors, _ = steps(records).axes
    assert [t.get_text() for t in errors.get_yticklabels()] == ["variants:", "plain", "a"]
