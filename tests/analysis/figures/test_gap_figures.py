"""Drawn gaps: the map of gaps, verdicts by unit, the regime map of depth against width."""

import pytest
from matplotlib.contour import ContourSet

from analysis.descriptions.depth_width_map import DepthWidthMap
from analysis.figures.drawing import depth_width_plot, forest, gap_map
from analysis.figures.drawing.style import CONVENTION, VERDICTS, style
from analysis.figures.verdict_records import drawn
from helpers.figure_text import check


def test_the_gap_map_writes_each_gap_with_its_interval():
    records = [
        {"epochs": e, "cost": cost, "resolution": r, "estimate": 0.01 * i - 0.02,
         "low": 0.01 * i - 0.025, "high": 0.01 * i - 0.015}
        for cost in ("flops", "params")
        for i, (e, r) in enumerate((e, r) for e in (4, 20, 80) for r in (16, 32, None))
    ]  # fmt: skip
    with style():
        figure = gap_map.gap_map(records, "95 % interval")
        check(figure)
    left, right, bar = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["16 px", "32 px", "mean"]
    assert left.get_title("left") == "at equal FLOPs"
    written = [t.get_text() for t in left.texts]
    assert len(written) == len(right.texts) == 9
    assert written[0] == "-2.0\n±0.5"
    weights = [t.get_weight() for t in left.texts]
    assert weights.count("normal") == 1  # the gap of zero
    assert bar.get_ylabel().replace("\n", " ") == "gap in relative error (%)"
    with style():
        check(
            gap_map.gap_map([r for r in records if r["resolution"] is None], "95 % interval")
        )  # little height


def test_verdicts_are_drawn_by_unit_with_their_margin():
    claim = {"estimate": 2.0, "low": 1.0, "high": 3.0, "margin": 0.5, "verdict": "supported"}
    claim["about"] = "what it claims"
    records = [
        claim | {"rule": "A", "variant": "declared", "unit": "percent"},
        claim | {"rule": "A", "variant": "at equal FLOPs", "unit": "percent", "verdict": "refuted"},
        claim | {"rule": "B", "variant": "declared", "unit": "pp", "verdict": "inconclusive"},
    ]
    with style():
        figure = forest.verdicts(records, "95 % interval")
        check(figure)
    assert [a.get_xlabel().split(";")[0] for a in figure.axes] == [
        "relative error (%)",
        "error lost (percentage points)",
    ]
    label, other = figure.axes[0].get_yticklabels()
    assert (label.get_text(), label.get_color()) == ("A: supported", VERDICTS["supported"])
    assert other.get_text() == "at equal FLOPs"
    assert len(figure.axes[0].containers) == 2
    assert [t.get_text() for t in figure.axes[0].texts] == ["what it claims"]


def test_a_figure_of_verdicts_leaves_out_what_says_nothing():
    """A point for an interval, and another way to ask that gives the same numbers."""
    claim = {"estimate": 2.0, "low": 1.0, "high": 3.0, "unit": "percent"}
    point = dict.fromkeys(("estimate", "low", "high"), 0.0) | {"unit": "pp"}
    records = [
        claim | {"rule": "A", "variant": "declared"},
        claim | {"rule": "A", "variant": "the same"},
        claim | {"rule": "A", "variant": "another", "low": 0.9},
        point | {"rule": "B", "variant": "declared"},
        point | {"rule": "B", "variant": "at equal FLOPs"},
    ]
    assert [r["variant"] for r in drawn(records)] == ["declared", "another"]
    assert drawn(records[3:]) == []


@pytest.mark.parametrize(("crossover", "interval", "title"), [
    (40.0, (20.0, None), "16 px: even at 40 epochs\n[20, above] at 1.8×"),
    (None, (None, None), "16 px: no even odds\nat 1.8×"),
])  # fmt: skip
def test_the_regime_map_has_shades_lines_hatching_and_a_dot(crossover, interval, title):
    epochs, costs = (10.0, 30.0, 100.0), (1.1, 1.8, 3.0)
    records = [
        {"epochs": e, "resolution": 16, "multiplier": m, "inside": m < 2, "difference": 0.0,
         "p_depth": p if crossover else 0.2}
        for e, p in zip(epochs, (0.01, 0.45, 0.99), strict=True) for m in costs
    ]  # fmt: skip
    found = DepthWidthMap(1.8, records, {16: crossover}, {16: interval}, 0.012, 9, 0.75, 0.19)
    with style():
        figure = depth_width_plot.depth_width_map(found, "FLOPs")
        check(figure)
    axes, bar = figure.axes
    assert axes.get_title("left") == title
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "training length (epochs)"
    assert bar.get_ylabel() == "P(depth is the better way to spend)"
    (hatched,) = (c for c in axes.collections if c.get_hatch())
    assert hatched.get_paths()[0].get_extents().y0 == pytest.approx(1.8)
    lines = [c for c in axes.collections if isinstance(c, ContourSet) and not c.filled]
    assert [list(c.levels) for c in lines] == ([[0.025], [0.5], [0.975]] if crossover else [])
    assert len(axes.containers) == (crossover is not None)
    note = figure.get_supxlabel()
    assert "75 % of signs right" in note
    assert CONVENTION in note
