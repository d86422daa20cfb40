"""What is in a figure: axes and their labels, series, readable ticks, text that is whole."""

import csv
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet
from matplotlib.text import Annotation, Text

from analysis.descriptions.depth_width_map import DepthWidthMap
from analysis.descriptions.findings import Request
from analysis.descriptions.forecasts import run_time_records, summary
from analysis.figures.all_figures import figures
from analysis.figures.drawing import (
    arm_plots,
    depth_width_plot,
    forecast_plot,
    forest,
    frontiers,
    gap_map,
    law_plots,
    return_plot,
    variant_plot,
)
from analysis.figures.drawing.labels import ink
from analysis.figures.drawing.panels import panels, spread
from analysis.figures.drawing.style import (
    ASSUMED,
    COLORS,
    CONVENTION,
    LINES,
    VERDICTS,
    WIDTH,
    style,
)
from analysis.figures.files import Saved, save
from analysis.figures.law_records import fits_of, law_rows, return_rows
from analysis.published.tables import figure_2
from analysis.report.analyse import findings
from analysis.rules.preregistration import load_rules
from analysis.study.table import table_of
from helpers.analysis_data import write_real_study
from scaling_study.study.forecasts import read_forecasts
from scaling_study.study.table import read_study

# One worker draws them once.
pytestmark = pytest.mark.xdist_group("figures")

EVERY = (
    *("verdicts", "arms_step_time_s", "gaps", "gap_map", "train_validation_gap"),
    *("frontier_step_time_s", "frontier_flops", "frontier_params"),
    *("frontier_peak_memory_bytes", "frontier_train_flops"),
    *("laws", "resolution_returns", "forecast"),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Figures of a study of two training lengths and three resolutions, by name, with records."""
    study = tmp_path_factory.mktemp("figures") / "results" / "demo"
    write_real_study(study, resolutions=(16, 24, 32))
    loaded = read_study(study)
    request = Request(published=True, study_dir=study)
    found = findings(table_of(loaded, {}), load_rules(None, loaded.grid), request)
    kept = {}

    def keep(figure, records, directory, name, title):
        kept[name] = (figure, records, title)
        return Saved(name, title, directory / f"{name}.png")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.figures.figure.save", keep)
        figures(found, study)
    with style():
        for name, (figure, _, _) in kept.items():
            if name not in ("frontier_flops", "frontier_params"):  # published points are far off
                FigureCanvasAgg(figure).draw()
    return kept


def texts(figure):
    """Visible texts with their boxes in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            found.append((text, text.get_window_extent(renderer)))
    return found


def check(figure):
    """Nothing is cut off, no ticks run into each other, no direct label covers another."""
    FigureCanvasAgg(figure).draw()
    inside = figure.bbox.padded(2)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            shown = [t.label1 for t in ticks if t.label1.get_visible() and t.label1.get_text()]
            boxes = [text.get_window_extent() for text in shown]
            boxes.sort(key=lambda b: (b.x0, b.y0))
            for a, b in pairwise(boxes):
                assert not a.padded(-1).overlaps(b.padded(-1)), (
                    axes.get_title("left"),
                    axis.axis_name,
                )
            if axis.get_scale() == "log":
                assert len(ticks) >= 2, (axes.get_title("left"), axis.axis_name)
    labels = [(t, box) for t, box in texts(figure) if isinstance(t, Annotation)]
    for text, box in labels:
        assert inside.contains(box.x0, box.y0), text.get_text()
        assert inside.contains(box.x1, box.y1), text.get_text()
    for (a, box_a), (b, box_b) in combinations(labels, 2):
        assert not box_a.padded(-2).overlaps(box_b.padded(-2)), (a.get_text(), b.get_text())
    for axes in figure.axes:
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title):
            if text.get_text():
                box = text.get_window_extent()
                assert inside.contains(box.x0, box.y0), text.get_text()
                assert inside.contains(box.x1, box.y1), text.get_text()


def test_a_study_gets_every_figure(drawn):
    assert sorted(drawn) == sorted(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_text_is_whole_and_ticks_can_be_read(drawn, name):
    with style():
        check(drawn[name][0])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("frontier_step_time_s", "measured time per training step"),
        ("frontier_flops", "forward FLOPs per image (2 × multiply-adds)"),
        ("frontier_params", "trainable parameters"),
        ("frontier_peak_memory_bytes", "peak memory"),
        ("frontier_train_flops", "training FLOPs of a run (2 × multiply-adds)"),
        ("laws", "forward FLOPs per image (2 × multiply-adds)"),
        ("arms_step_time_s", "measured time per training step"),
        ("resolution_returns", "step in resolution (px) FLOPs: 2 × multiply-adds"),
        ("forecast", "run time as forecast before launch, bars: 90 % interval"),
    ],
)
def test_costs_have_their_unit_and_convention(drawn, name, label):
    figure = drawn[name][0]
    assert {a.get_xlabel().replace("\n", " ") for a in figure.axes} == {label}
    assert figure.axes[0].get_ylabel()
    units = {"frontier_step_time_s": "s", "frontier_peak_memory_bytes": "B"}
    if name in units:
        ticks = [t.get_text() for t in figure.axes[0].get_xticklabels() if t.get_text()]
        assert all(t.endswith(units[name]) for t in ticks), ticks


def test_regimes_have_a_panel_each_with_both_arms_and_their_bars(drawn):
    figure, records, _ = drawn["arms_step_time_s"]
    heads = [a.get_title("left").split("\n")[0] for a in figure.axes]
    assert heads == ["4 epochs (R1-short supported)", "20 epochs (R1-long supported)"]
    for axes, epochs in zip(figure.axes, (4, 20), strict=True):
        cells = [r for r in records if r["epochs"] == epochs and r["kind"] == "cell"]
        bars = [c for c in axes.containers if len(c.lines[2])]
        points = sum(len(c.lines[0].get_xdata()) for c in bars)
        assert points == len(cells) == 18  # three resolutions, three cells in each of two arms
        colors = {c.lines[0].get_color() for c in bars}
        assert colors == {COLORS["base"], COLORS["depth"], COLORS["width"]}


def test_every_frontier_has_bars_and_a_band(drawn):
    for name in EVERY:
        if name.startswith("frontier_"):
            for axes in drawn[name][0].axes:
                assert any(len(c.lines[2]) for c in axes.containers), name
                assert axes.collections, name


def test_laws_show_fits_floor_and_break(tmp_path):
    points = figure_2()
    rows = law_rows(points, fits_of(points), 350, np.inf, "prior")
    kinds = {r["kind"] for r in rows}
    assert kinds == {"cell", "pl", "spl", "seg", "floor", "break"}
    floor = next(r for r in rows if r["kind"] == "floor")
    assert floor["error_low"] < floor["error"] < floor["error_high"]
    with style():
        figure = law_plots.laws(rows)
        check(figure)
        said = {text.get_text() for text, _ in texts(figure)}
        assert {"power law", "with a floor", "with a break", "break"} <= said
        assert any(text.startswith("floor ") for text in said)
        returns = return_plot.returns(return_rows(points, 350))
        check(returns)
        save(figure, rows, tmp_path, "laws", "laws")
    assert {p.name for p in tmp_path.iterdir()} == {
        f"laws.{e}" for e in ("png", "svg", "pdf", "csv")
    }
    with (tmp_path / "laws.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert (tmp_path / "laws.pdf").read_bytes()[:5] == b"%PDF-"


def test_bars_of_cells_below_every_law_are_not_cut_off():
    points = figure_2()
    rows = law_rows(points, fits_of(points), 350, np.inf, "prior")
    rows = [r for r in rows if r["kind"] in ("cell", "pl")]
    best = min((r for r in rows if r["kind"] == "cell"), key=lambda r: r["error"])
    best["error_low"] = 0.8 * best["error"]
    with style():
        bottom, _ = law_plots.laws(rows).axes[0].get_ylim()
    assert bottom < 80 * best["error"]


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


def test_small_text_has_contrast_and_keeps_its_hue():
    """WCAG asks for 4.5 to 1; a blend with black keeps the ratio of red, green and blue."""
    for color in (*LINES, *COLORS.values(), *VERDICTS.values()):
        before, after = np.array(to_rgb(color)), np.array(ink(color))
        linear = np.where(after <= 0.04045, after / 12.92, ((after + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (0.05 + linear @ [0.2126, 0.7152, 0.0722]) >= 4.5
        np.testing.assert_allclose(np.cross(before, after), 0, atol=1e-9)


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
    (label,) = figure.axes[0].get_yticklabels()
    assert (label.get_text(), label.get_color()) == ("A\nsupported", VERDICTS["supported"])
    assert len(figure.axes[0].containers) == 2
    assert [t.get_text() for t in figure.axes[0].texts] == ["what it claims"]


def test_only_intervals_of_error_rest_on_the_noise_of_seeds():
    claim = {"estimate": 2.0, "low": 1.0, "high": 3.0, "margin": 0.5, "verdict": "supported"}
    claim |= {"variant": "declared", "about": "per ln(FLOPs)"}
    records = [claim | {"rule": u, "unit": u} for u in ("percent", "number")]
    with style():
        figure = forest.verdicts(records, "95 % interval", ASSUMED)
        check(figure)
    percent, number = (a.get_xlabel() for a in figure.axes)
    assert ASSUMED in percent
    assert ASSUMED not in number
    assert CONVENTION in number


def test_forecasts_are_compared_only_if_they_were_made_before(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    rows = [vars(r) for r in results]
    found = run_time_records(rows, read_forecasts(study))
    assert len(found) == len(results)
    held = sum(r["forecast_s_low"] <= r["wall_s"] <= r["forecast_s_high"] for r in found)
    assert 0 < held < len(found)
    assert summary(found).startswith(f"{len(results)} runs were forecast to take ")
    assert summary(found).endswith(
        f" {held} of {len(results)} lay in their 90 % interval, the bars."
    )
    with style():
        check(forecast_plot.forecasts(found))
    (study / "forecasts.csv").write_text("run_id,forecast_s\n" + f"{results[0].run_id},\nx,nan\n")
    assert read_forecasts(study) == {}
    (study / "forecasts.csv").unlink()
    assert run_time_records(rows, read_forecasts(study)) == []
    assert summary([]).startswith("No run of this study was forecast")


@pytest.mark.parametrize("count", [*range(1, 10), 30])
def test_panels_fill_rows_of_about_equal_length(count):
    figure, found = panels(list(range(count)))
    assert [key for key, _ in found] == list(range(count))
    assert len(figure.axes) == count
    assert figure.get_figwidth() <= WIDTH


def test_few_names_are_spread_over_many_points():
    rows = [{"i": i} for i in range(40)]
    chosen = [r["i"] for r in spread(rows, 9)]
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 39, 9)
    assert spread(rows[:9], 9) == rows[:9]


def words(figure):
    return [text.get_text() for text, _ in texts(figure)]


def test_figures_that_speak_of_flops_state_the_convention_and_fit_a_page(drawn):
    for name, (figure, _, _) in drawn.items():
        said = "\n".join(words(figure))
        assert "FLOPs" not in said or CONVENTION in said, name
        assert figure.get_figwidth() <= WIDTH, name
        sizes = [text.get_fontsize() for text, _ in texts(figure)]
        assert min(sizes) >= 6.5, name


def test_networks_are_named_by_whole_depths(drawn):
    for name in ("frontier_step_time_s", "frontier_peak_memory_bytes"):
        named = [t for t in words(drawn[name][0]) if t.startswith("d")]
        named = [t for t in named if t.split()[0][1:].replace(".", "").isdigit()]
        assert named, name
        assert all("." not in t.split()[0] for t in named), named


def test_published_points_name_their_data_and_are_in_the_csv(drawn):
    figure, records, _ = drawn["frontier_flops"]
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "ResNet-RS on ImageNet (Bello et al. 2021, Table 7)" in legend
    assert {"RS-50@160", "B7@600"} <= set(words(figure))
    assert sum(r.get("family") == "EfficientNet" for r in records) == 8
    assert all("source" not in r for r in drawn["frontier_step_time_s"][1])


def floor_study(floor, cells=(0.40, 0.30, 0.25, 0.22)):
    cell = {"kind": "cell", "resolution": 32, "error_low": None, "error_high": None, "epochs": 5}
    rows = [cell | {"cost": 10.0**i, "error": e} for i, e in enumerate(cells, 6)]
    curve = {"epochs": 5, "error_low": 0.2, "error_high": 0.5}
    rows += [curve | {"kind": k, "cost": r["cost"], "error": r["error"]}
             for k in ("pl", "spl") for r in rows[: len(cells)]]  # fmt: skip
    return [*rows, {"kind": "floor", "epochs": 5, "error": floor, "error_low": 0.1,
                    "error_high": 0.3}]  # fmt: skip


@pytest.mark.parametrize(
    ("floor", "text"),
    [(0.17, "floor 17.0 %"), (0.15, None), (0.23, "floor 23.0 % (1 of 4 cells below)")],
)
def test_a_floor_is_drawn_whole_or_not_at_all(floor, text):
    with style():
        figure = law_plots.laws(floor_study(floor))
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


def cell_record(cost, error, **changes):
    record = {"epochs": 5, "resolution": 32, "depth": 14.0, "width": 1.0, "arm": "base",
              "is_base": True, "noise": "prior", "cost_axis": "flops", "cost": cost,
              "error": error, "error_low": error - 0.01, "error_high": error + 0.01,
              "on_frontier": True, "frontier_error": error, "band_low": None,
              "kind": "cell"}  # fmt: skip
    return record | changes


@pytest.mark.parametrize("draw", [frontiers.frontier, lambda rows: arm_plots.arms(rows, {})])
def test_assumed_noise_is_hollow_and_named(draw):
    for kind, hollow in (("prior", True), ("pooled", False)):
        rows = [cell_record(10.0**i, 0.5 - 0.05 * i, noise=kind) for i in (6, 7)]
        with style():
            figure = draw(rows)
            check(figure)
        (axes,) = figure.axes
        assert (ASSUMED in axes.get_ylabel()) is hollow
        (marks,) = (c.lines[0] for c in axes.containers)
        assert (marks.get_markerfacecolor() == "white") is hollow


@pytest.mark.parametrize("draw", [frontiers.frontier, frontiers.budget])
def test_one_cell_is_a_whole_figure(draw):
    with style():
        figure = draw([cell_record(3e6, 0.4, error_low=None, error_high=None)])
        check(figure)
    assert figure.axes[0].get_ylabel() == "validation error (%)"


def test_assumed_noise_of_steps_is_named():
    row = {"series": "at 10 M FLOPs", "name": "a", "noise": "prior", "error": 0.3,
           "error_low": 0.29, "error_high": 0.31, "step": None}  # fmt: skip
    with style():
        figure = variant_plot.steps([row])
    assert ASSUMED in figure.axes[0].get_xlabel()
    assert CONVENTION in figure.axes[0].get_xlabel()


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


def test_speed_ups_have_a_panel_per_hardware_with_a_line_at_one():
    records = [
        {"hardware": h, "model": m, "estimate": e, "low": 0.8 * e, "high": 1.2 * e}
        for h in ("TPUv3", "V100") for m, e in (("B1", 1.9), ("B2", 2.4), ("mean", 2.1))
    ]  # fmt: skip
    with style():
        figure = forest.speedups(records)
        check(figure)
    assert [a.get_title("left") for a in figure.axes] == ["TPUv3", "V100"]
    for axes in figure.axes:
        assert len(axes.containers) == 3
        assert axes.lines[0].get_xdata()[0] == 1
        assert "95 % interval" in axes.get_xlabel()


@pytest.mark.parametrize(("seconds", "text"), [
    (0.02, "20 ms"), (6, "6 s"), (90, "1.5 min"), (3600, "1 h"), (36000, "10 h"),
])  # fmt: skip
def test_times_are_written_in_the_unit_that_they_fill(seconds, text):
    assert forecast_plot.duration(seconds) == text


def test_a_forecast_shows_whole_bars_over_ranges_of_minutes():
    records = [
        {
            "epochs": 4,
            "forecast_s": s,
            "wall_s": s,
            "forecast_s_low": s / 3,
            "forecast_s_high": 3 * s,
        }
        for s in (6.0, 60.0, 600.0)
    ]
    with style():
        figure = forecast_plot.forecasts(records)
        check(figure)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < 2
    assert high > 1800
    said = [t.get_text() for t in axes.get_xticklabels()]
    assert not any(t.startswith("0") for t in said), said
    assert {t.split()[1] for t in said} == {"s", "min"}


def test_colours_can_be_told_apart_by_the_colour_blind():
    """Machado et al. 2009, severity 1: the arms stay far apart in Lab for each kind."""
    kinds = {
        "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    }

    def lab(color, matrix):
        rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(matrix) @ linear, 0, 1)
        xyz = np.array(
            [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        )
        x, y, z = np.cbrt(np.maximum(xyz @ seen / [0.9505, 1, 1.089], 1e-4))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    groups = ([COLORS[a] for a in ("depth", "width", "base")], list(LINES[:4]))
    for matrix in kinds.values():
        for colors in groups:
            for a, b in combinations(colors, 2):
                assert np.linalg.norm(lab(a, matrix) - lab(b, matrix)) > 15, (a, b)
