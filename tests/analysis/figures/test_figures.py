"""What is in the figures of a study: every name, axes and their labels, whole readable text."""

import csv

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.descriptions.findings import Request
from analysis.figures.all_figures import figures
from analysis.figures.drawing import (
    law_plots,
    return_plot,
)
from analysis.figures.drawing.style import (
    COLORS,
    CONVENTION,
    WIDTH,
    style,
)
from analysis.figures.files import Saved, save
from analysis.figures.law_records import fits_of, law_rows, return_rows
from analysis.published.tables import figure_2
from analysis.report.analyse import findings
from analysis.rules.preregistration import load_rules
from analysis.study.table import table_of
from helpers.figure_text import check, texts, words
from helpers.real_study import write_real_study
from scaling_study.study.table import read_study

EVERY = (
    *("verdicts", "arms_step_time_s", "gaps", "gap_map", "train_validation_gap"),
    *("frontier_step_time_s", "frontier_flops", "frontier_params"),
    *("frontier_peak_memory_bytes", "frontier_train_flops"),
    *("laws", "main_effects", "resolution_returns", "forecast"),
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

    def keep(figure, records, directory, name, title, formats):
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


@pytest.mark.slow
def test_a_study_gets_every_figure(drawn):
    assert sorted(drawn) == sorted(EVERY)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_text_is_whole_and_ticks_can_be_read(drawn, name):
    with style():
        check(drawn[name][0])


@pytest.mark.slow
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
@pytest.mark.slow
def test_costs_have_their_unit_and_convention(drawn, name, label):
    figure = drawn[name][0]
    assert {a.get_xlabel().replace("\n", " ") for a in figure.axes} == {label}
    assert figure.axes[0].get_ylabel()
    units = {"frontier_step_time_s": "s", "frontier_peak_memory_bytes": "B"}
    if name in units:
        ticks = [t.get_text() for t in figure.axes[0].get_xticklabels() if t.get_text()]
        assert all(t.endswith(units[name]) for t in ticks), ticks


@pytest.mark.slow
def test_regimes_have_a_panel_each_with_both_arms_and_their_bars(drawn):
    figure, records, _ = drawn["arms_step_time_s"]
    heads = [a.get_title("left").split("\n")[0] for a in figure.axes]
    assert heads == ["4 epochs", "20 epochs"]
    for axes, epochs in zip(figure.axes, (4, 20), strict=True):
        cells = [r for r in records if r["epochs"] == epochs and r["kind"] == "cell"]
        bars = [c for c in axes.containers if len(c.lines[2])]
        points = sum(len(c.lines[0].get_xdata()) for c in bars)
        assert points == len(cells) == 18  # three resolutions, three cells in each of two arms
        colors = {c.lines[0].get_color() for c in bars}
        assert colors == {COLORS["base"], COLORS["depth"], COLORS["width"]}


@pytest.mark.slow
def test_every_frontier_has_bars_and_a_band(drawn):
    for name in EVERY:
        if name.startswith("frontier_"):
            for axes in drawn[name][0].axes:
                assert any(len(c.lines[2]) for c in axes.containers), name
                assert axes.collections, name


@pytest.mark.slow
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


@pytest.mark.slow
def test_figures_that_speak_of_flops_state_the_convention_and_fit_a_page(drawn):
    for name, (figure, _, _) in drawn.items():
        said = "\n".join(words(figure))
        assert "FLOPs" not in said or CONVENTION in said, name
        assert figure.get_figwidth() <= WIDTH, name
        sizes = [text.get_fontsize() for text, _ in texts(figure)]
        assert min(sizes) >= 6.5, name


@pytest.mark.slow
def test_networks_are_named_by_whole_depths(drawn):
    for name in ("frontier_step_time_s", "frontier_peak_memory_bytes"):
        named = [t for t in words(drawn[name][0]) if t.startswith("d")]
        named = [t for t in named if t.split()[0][1:].replace(".", "").isdigit()]
        assert named, name
        assert all("." not in t.split()[0] for t in named), named


@pytest.mark.slow
def test_published_points_name_their_data_and_are_in_the_csv(drawn):
    figure, records, _ = drawn["frontier_flops"]
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "ResNet-RS on ImageNet (Bello et al. 2021, Table 7)" in legend
    assert {"RS-50@160", "B7@600"} <= set(words(figure))
    assert sum(r.get("family") == "EfficientNet" for r in records) == 8
    assert all("source" not in r for r in drawn["frontier_step_time_s"][1])
