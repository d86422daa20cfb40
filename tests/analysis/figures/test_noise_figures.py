"""Bars of noise: what rests on seeds, what is assumed; figures of a single cell."""

import pytest

from analysis.figures.drawing import arm_plots, forest, frontiers, variant_plot
from analysis.figures.drawing.style import ASSUMED, CONVENTION, style
from helpers.figure_text import check


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
