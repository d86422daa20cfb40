"""What is in a figure: axes and their labels, series, readable ticks, text that is whole."""

import csv
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation

from analysis.declared import prereg
from analysis.drawing import forecast_plot, forest, law_plots, maps
from analysis.drawing.labels import ink
from analysis.drawing.panels import panels, spread
from analysis.drawing.style import COLORS, LINES, VERDICTS, style
from analysis.figures import figures
from analysis.findings import Request
from analysis.forecasts import forecast_records, read_forecasts, summary
from analysis.law_records import fits_of, law_rows, return_rows
from analysis.output import Saved, save
from analysis.scaling.points import figure_2
from analysis.study import findings
from analysis.tables import table_of
from analysis_data import write_real_study
from scaling_study.results import read_study

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
    found = findings(table_of(loaded, {}), prereg(None, loaded.grid), Request(study_dir=study))
    times = forecast_records(found.table.rows, found.forecasts)
    kept = {}

    def keep(figure, records, directory, name, title):
        kept[name] = (figure, records, title)
        return Saved(name, title, directory / f"{name}.png")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.figures.save", keep)
        figures(
            *(found.cells, found.prereg, found.judgements, found.summary["gaps"]),
            *(found.frontiers, study, True, times),
        )
    with style():
        for name, (figure, _, _) in kept.items():
            if name not in ("frontier_flops", "frontier_params"):  # published points are far off
                FigureCanvasAgg(figure).draw()
    return kept


def texts(figure):
    """Visible texts with their boxes in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
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
        ("resolution_returns", "resolution, geometric mean of a step's two ends (px)"),
        ("forecast", "run time as forecast before launch, bars: 90 % interval"),
    ],
)
def test_costs_have_their_unit_and_convention(drawn, name, label):
    figure = drawn[name][0]
    assert {a.get_xlabel() for a in figure.axes} == {label}
    assert figure.axes[0].get_ylabel()
    units = {"frontier_step_time_s": "s", "frontier_peak_memory_bytes": "B", "forecast": "s"}
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
    rows = law_rows(points, fits_of(points), 350, np.inf)
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
        returns = law_plots.returns(return_rows(points, 350))
        check(returns)
        save(figure, rows, tmp_path, "laws", "laws")
    assert {p.name for p in tmp_path.iterdir()} == {
        f"laws.{e}" for e in ("png", "svg", "pdf", "csv")
    }
    with (tmp_path / "laws.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert (tmp_path / "laws.pdf").read_bytes()[:5] == b"%PDF-"


def test_the_gap_map_writes_each_gap_with_its_interval():
    records = [
        {"epochs": e, "cost": cost, "resolution": r, "estimate": 0.01 * i - 0.02,
         "low": 0.01 * i - 0.025, "high": 0.01 * i - 0.015}
        for cost in ("flops", "params")
        for i, (e, r) in enumerate((e, r) for e in (4, 20, 80) for r in (16, 32, None))
    ]  # fmt: skip
    with style():
        figure = maps.gap_map(records)
        check(figure)
    left, right, bar = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["16 px", "32 px", "mean"]
    assert left.get_title("left") == "at equal FLOPs"
    written = [t.get_text() for t in left.texts]
    assert len(written) == len(right.texts) == 9
    assert written[0] == "-2.0\n±0.5"
    weights = [t.get_weight() for t in left.texts]
    assert weights.count("normal") == 1  # the gap of zero
    assert bar.get_ylabel() == "gap in relative error (%)"
    with style():
        check(maps.gap_map([r for r in records if r["resolution"] is None]))  # little height


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
        figure = forest.verdicts(records, "95 %")
        check(figure)
    assert [a.get_xlabel().split(",")[0] for a in figure.axes] == [
        "relative error (%)",
        "error lost (percentage points)",
    ]
    (label,) = figure.axes[0].get_yticklabels()
    assert (label.get_text(), label.get_color()) == ("A\nsupported", VERDICTS["supported"])
    assert len(figure.axes[0].containers) == 2
    assert [t.get_text() for t in figure.axes[0].texts] == ["what it claims"]


def test_forecasts_are_compared_only_if_they_were_made_before(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    rows = [vars(r) for r in results]
    found = forecast_records(rows, read_forecasts(study))
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
    assert forecast_records(rows, read_forecasts(study)) == []
    assert summary([]).startswith("No run of this study was forecast")


@pytest.mark.parametrize("count", range(1, 10))
def test_panels_fill_rows_of_about_equal_length(count):
    figure, found = panels(list(range(count)))
    assert [key for key, _ in found] == list(range(count))
    assert len(figure.axes) == count
    assert figure.get_figwidth() < 13.1


def test_few_names_are_spread_over_many_points():
    rows = [{"i": i} for i in range(40)]
    chosen = [r["i"] for r in spread(rows, 9)]
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 39, 9)
    assert spread(rows[:9], 9) == rows[:9]


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
