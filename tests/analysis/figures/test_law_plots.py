"""Drawn laws: floors, bars below them, laws that coincide; returns to resolution."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.figures.drawing import law_plots, return_plot, shape_plot
from analysis.figures.drawing.style import style
from analysis.figures.law_records import fits_of, law_rows, shape_rows
from analysis.published.tables import figure_2
from helpers.figure_text import check, words


def test_bars_of_cells_below_every_law_are_not_cut_off():
    points = figure_2()
    rows = law_rows(points, fits_of(points), 350, np.inf, "prior")
    rows = [r for r in rows if r["kind"] in ("cell", "pl")]
    best = min((r for r in rows if r["kind"] == "cell"), key=lambda r: r["error"])
    best["error_low"] = 0.8 * best["error"]
    with style():
        bottom, _ = law_plots.laws(rows).axes[0].get_ylim()
    assert bottom < 80 * best["error"]


def floor_study(floor, cells=(0.40, 0.30, 0.25, 0.22), ends=(0.1, 0.3)):
    cell = {"kind": "cell", "resolution": 32, "error_low": None, "error_high": None, "epochs": 5}
    rows = [cell | {"cost": 10.0**i, "error": e} for i, e in enumerate(cells, 6)]
    curve = {"epochs": 5, "error_low": 0.2, "error_high": 0.5}
    rows += [curve | {"kind": k, "cost": r["cost"], "error": r["error"]}
             for k in ("pl", "spl") for r in rows[: len(cells)]]  # fmt: skip
    return [*rows, {"kind": "floor", "epochs": 5, "error": floor, "error_low": ends[0],
                    "error_high": ends[1]}]  # fmt: skip


@pytest.mark.parametrize(
    ("floor", "ends", "text"),
    [
        (0.17, (0.1, 0.3), "floor 17.0 %"),
        (0.15, (0.1, 0.3), None),  # below everything measured it would squeeze the points
        (0.3, (0.1, 0.3), "floor 30.0 %, an end of its interval"),
        (0.17, (0.17, 0.17 + 1e-8), "floor 17.0 %, without scatter"),
    ],
)
def test_a_floor_is_drawn_whole_or_not_at_all(floor, ends, text):
    with style():
        figure = law_plots.laws(floor_study(floor, ends=ends))
        check(figure)
    (axes,) = figure.axes
    lines = [line for line in axes.lines if line.get_linestyle() == ":"]
    labels = [t for t in axes.texts if t.get_text().startswith("floor")]
    assert [t.get_text() for t in labels] == ([text] if text else [])
    bottom, top = axes.get_ylim()
    assert [bottom < line.get_ydata()[0] < top for line in lines] == [True] * len(labels)
    for label in labels:
        box = label.get_window_extent()
        assert axes.get_window_extent().padded(1).y0 < box.y0
        assert bottom < label.xy[1] < top
    bands = [p for p in axes.patches if p.get_width() == 1]  # spans of the whole width
    assert len(bands) == len(labels)


@pytest.mark.parametrize("undercut", [False, True])
def test_a_floor_that_points_undercut_is_none(undercut):
    """Errors above a floor find it; one point far below it shows that it is none."""
    cost = np.geomspace(1e6, 1e9, 12)
    noise = np.exp(0.004 * np.random.default_rng(3).standard_normal(12))
    points = {"cost": cost, "error": (0.1 + 30 * cost**-0.35) * noise}
    points |= dict.fromkeys(("depth", "width", "resolution", "n"), np.ones(12))
    points |= {"variance": np.full(12, 1e-6), "se": np.full(12, 1e-3)}
    points["error"][6] *= 0.3 if undercut else 1
    rows = law_rows(points, fits_of(points), 5, np.inf, "seeds")
    floors = [r["error"] for r in rows if r["kind"] == "floor"]
    assert floors == ([] if undercut else [pytest.approx(0.1, rel=0.1)])
    few = {name: values[:9] for name, values in points.items()}
    assert fits_of(few) == {}


def test_laws_that_coincide_stay_visible():
    with style():
        figure = law_plots.laws(floor_study(0.17))
    looks = {line.get_color(): line.get_linestyle() for line in figure.axes[0].lines}
    under, over = law_plots.LAWS["pl"][1], law_plots.LAWS["spl"][1]
    assert looks[under] == "-"
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 4]
    assert [line.get_linestyle() for line in curves if line.get_color() == over] == ["--"]


def return_study(*sides):
    return [
        {"epochs": e, "from_px": a, "to_px": b, "elasticity": 0.2 + e / 1000, "low": 0.1,
         "high": 0.5, "steps": 5}
        for e in (4, 20, 80) for a, b in pairwise(sides)
    ]  # fmt: skip


@pytest.mark.parametrize("sides", [(16, 24), (16, 24, 32), tuple(range(128, 449, 32))])
def test_returns_have_a_tick_per_step_and_labels_at_their_own_ends(sides):
    with style():
        figure = return_plot.returns(return_study(*sides))
        FigureCanvasAgg(figure).draw()
        if len(sides) > 2:  # one step has one tick
            check(figure)
    (axes,) = figure.axes
    ticks = [t.get_text() for t in axes.get_xticklabels()]
    assert ticks == [f"{a}→{b}" for a, b in pairwise(sides)]
    left, right = axes.get_xlim()
    assert right / left >= 2
    ends = [line.get_xydata()[-1] for line in axes.lines if line.get_linestyle() == "-"]
    labels = [t.xy for t in axes.texts]
    assert len(labels) == 3
    for label in labels:
        assert any(np.allclose(label, end) for end in ends)
    pixels = [axes.transData.transform(xy)[0] * 72 / figure.dpi for xy in labels]
    assert all(2 < b - a < 8 for a, b in pairwise(pixels))


def test_the_shapes_furthest_off_the_law_are_named_and_each_resolution_has_its_frontier():
    rows = shape_rows(figure_2())
    furthest = sorted(rows, key=lambda r: r["error"] / r["law"])[-shape_plot.NAMED :]
    with style():
        figure = shape_plot.shapes(rows)
        check(figure)
    for axes in figure.axes:
        named = {t.get_text() for t in axes.texts}
        assert {f"d{r['depth']:g} w{r['width']:g} r{r['resolution']:g}" for r in furthest} <= named
        assert {f"{px} px" for px in (128, 160, 224, 320, 448)} <= named
    # A line of a resolution falls: a cheaper network with less error would have taken its place.
    lines = [line.get_ydata() for line in figure.axes[0].lines if line.get_lw() == 0.7]
    assert len(lines) == 5
    assert all(a > b for line in lines for a, b in pairwise(line))
    legends = [axes.get_legend().get_texts() for axes in figure.axes]
    assert [len(texts) for texts in legends] == [
        len({r[a] for r in rows}) for a in ("width", "depth")
    ]
    assert {"coloured by width", "coloured by depth"} <= {*words(figure)}


def test_shapes_of_one_width_cannot_be_told_apart():
    points = figure_2()
    one = points["width"] == 1
    assert len(points["error"][one]) >= 10
    assert not shape_rows({name: column[one] for name, column in points.items()})
