"""Descriptions beside the rules: overfitting, and the regime map of depth against width."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.descriptions.base_sensitivity import bases
from analysis.descriptions.depth_width_map import depth_width_map
from analysis.descriptions.overfitting import slopes
from analysis.laws.error_surface import reach
from analysis.published.tables import figure_2_cells
from analysis.rules.preregistration import load_rules
from analysis.study.noise import noise_of
from analysis.study.study_cells import StudyCells
from helpers.made_up_results import runs
from helpers.priors import PRIOR
from scaling_study.common.errors import InputError


def test_overfitting_slopes_of_a_known_gap():
    rows = []
    for result in runs({4: 0.0, 24: 0.0}, seeds=3):
        gap = 0.02 * math.log(result.flops / 1e7) + 0.0005 * result.seed
        rows.append(vars(replace(result, train_error=result.val_error - gap)))
    found = slopes(StudyCells.of(rows), load_rules(None, {"rules": {"cost": "flops"}}))
    assert {(r["epochs"], r["arm"]) for r in found} == {
        (e, a) for e in (4, 24) for a in ("depth", "width")
    }
    for record in found:
        assert record["slope"] == pytest.approx(0.02, abs=1e-9)
        assert record["low"] < 0.02 < record["high"]


@pytest.mark.slow
def test_the_regime_map_of_figure_3(paper):
    base = {"depth": 101, "width": 1.0}
    found = depth_width_map(paper, load_rules(None, PRIOR), base)
    assert found.n == 69
    assert found.residual_sd == pytest.approx(0.012, abs=0.001)
    assert list(found.crossovers) == [128, 160, 224, 320]
    assert list(found.crossovers.values()) == pytest.approx([137, 69, 38, 26], rel=0.06)
    by_length = {round(r["epochs"]): [] for r in found.records}
    for record in found.records:
        if record["multiplier"] != found.multiplier:
            continue
        by_length[round(record["epochs"])].append(record["p_depth"])
    assert max(by_length[10]) <= 0.01
    assert by_length[350] == pytest.approx([0.91, 1, 1, 1], abs=0.01)
    for resolution, (low, high) in found.intervals.items():
        at = found.crossovers[resolution]
        assert low < at
        assert high is None or at < high
    assert found.intervals[128][1] is None  # no length that was studied is surely long enough
    # Arms reach 2.4 times the base's cost along width, at every length and resolution.
    inside = {r["multiplier"] for r in found.records if r["inside"]}
    outside = {r["multiplier"] for r in found.records if not r["inside"]}
    assert max(inside) == pytest.approx(2.4, abs=0.2)
    assert min(outside) > max(inside)
    assert found.accuracy >= 0.5
    assert 0 <= found.brier < 0.25
    with pytest.raises(InputError, match="three of them"):
        depth_width_map(paper.regime(10), load_rules(None, PRIOR), base)


def test_the_reach_along_an_axis_ends_at_the_hull():
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert reach(triangle, np.array([0.0, 0.0]), 0) == pytest.approx(2)
    assert reach(triangle, np.array([0.0, 0.5]), 0) == pytest.approx(1)
    assert reach(triangle, np.array([0.0, 0.5]), 1) == pytest.approx(0.5)
    assert reach(triangle, np.array([2.0, 1.0]), 0) == 0


def test_depth_against_width_from_every_base_of_figure_2():
    cells = figure_2_cells()
    found = bases(cells, load_rules(None, {}), 350, "flops", noise_of(cells))
    assert 64 <= len(found.records) <= 70
    assert found.mean == pytest.approx(0.014, abs=0.003)
    assert found.sd == pytest.approx(0.0285, abs=0.002)
    assert found.positive == pytest.approx(0.63, abs=0.03)
    # The rule holds from a base of standard width, and much less from narrow ones.
    by_width = found.by_width()
    assert by_width[1.0] == pytest.approx(0.032, abs=0.003)
    assert by_width[0.5] < by_width[1.0] / 3
