"""Drawn times: forecasts against what runs took, speed-ups, units."""

import pytest

from analysis.descriptions.forecasts import run_time_records, summary
from analysis.figures.drawing import forecast_plot, forest
from analysis.figures.drawing.style import style
from helpers.figure_text import check
from helpers.real_study import write_real_study
from scaling_study.study.forecasts import read_forecasts


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
