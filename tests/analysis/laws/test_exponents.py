"""Exponents of the cheapest path and returns of its steps, on known surfaces."""

import math

import numpy as np
import pytest

from analysis.fits.fit import fit
from analysis.fits.laws import SIZE
from analysis.laws.breakpoint import deviation
from analysis.laws.cheapest_path import (
    compound_exponents,
    elasticities,
    hessians,
    path_exponent,
    path_exponents,
    resolution_ratio,
    surface_gradient,
)
from analysis.laws.returns import (
    by_step,
    depth_minus_resolution,
    diminishing,
)
from analysis.paper.tables import read
from helpers.law_judges import (
    judge_depth_first,
    judge_deviation,
    judge_diminishing,
    judge_dispersion,
    judge_kink,
    judge_slower,
)
from scaling_study.common.errors import InputError


def family(name):
    rows = read(name)
    resolution = np.array([float(row["image_res_px"]) for row in rows])
    return resolution, np.array([1 - float(row["top1_pct_paper_table7"]) / 100 for row in rows])


def scaled(points, factor):
    return {**points, "cost": factor * points["cost"]}


def test_golden_resolution_exponent(grid):
    found = path_exponent(grid)
    assert found.estimate == pytest.approx(0.215, abs=0.01)
    assert found.p_definite == pytest.approx(0.994, abs=0.01)
    assert found.low == pytest.approx(0.171, abs=0.01)
    assert found.high == pytest.approx(0.404, abs=0.03)
    assert elasticities(grid) == pytest.approx([0.89, 2.0, 2.0], abs=0.02)
    assert judge_slower(grid).value == "inconclusive"


def test_compound_exponents():
    gamma = compound_exponents()
    values = [gamma[axis] for axis in SIZE]
    assert values == pytest.approx([0.2794, 0.1461, 0.2142], abs=5e-5)
    assert values @ np.array([1, 2, 2]) == pytest.approx(1)


def test_golden_returns(grid):
    found = {s.start: s for s in by_step(grid)}
    expected = {128: 0.200, 160: 0.191, 224: 0.080, 320: 0.052}
    for start, value in expected.items():
        assert found[start].estimate == pytest.approx(value, abs=0.01)
        assert found[start].sem == pytest.approx(0.01, abs=0.003)
    ratio = diminishing(grid)
    assert ratio.estimate == pytest.approx(0.27, abs=0.015)
    assert ratio.low < 0.23
    assert ratio.high > 0.31
    assert judge_diminishing(grid).value == "supported"
    gap = depth_minus_resolution(grid)
    assert gap.estimate == pytest.approx(0.078, abs=0.003)
    assert gap.se == pytest.approx(0.025, abs=0.001)
    assert judge_depth_first(grid).value == "supported"
    models = (grid["depth"] >= 101) & (grid["width"] >= 1)
    large = depth_minus_resolution({name: column[models] for name, column in grid.items()})
    assert large.n == (7, 3)
    assert large.se == pytest.approx(0.051, abs=0.003)
    assert large.low < 0 < large.high


def test_resolution_level_of_two_families():
    found = resolution_ratio(family("resnet_rs_family"), family("efficientnet_family"))
    assert found.low == pytest.approx(1.50, abs=0.01)
    assert found.high == pytest.approx(2.06, abs=0.01)
    assert found.n == 6
    with pytest.raises(InputError, match="share no range"):
        resolution_ratio(family("resnet_rs_family"), (np.array([32.0]), np.array([0.9])))


def test_exponents_on_a_separable_surface_equal_their_closed_form():
    """The quadratic that touches E + sum(A x^-a) at an optimum leads along the same path."""
    powers, c = np.array([0.8, 1.1, 0.9]), np.array([1.0, 2.0, 2.0])
    # On the cheapest path a_i A_i x_i^-a_i is proportional to c_i.
    terms = 0.1 * c / powers
    error = 0.3 + terms.sum()
    gradient = -powers * terms / error
    h = np.diag(powers**2 * terms / error) - np.outer(gradient, gradient)
    gamma, definite = path_exponents(h[None], c)
    # gamma_i = (1 / a_i) / sum(c / a), for a cost that is a product of powers c.
    closed = (1 / powers) / (c / powers).sum()
    assert definite[0]
    assert gamma[0] == pytest.approx(closed)
    assert closed @ c == pytest.approx(1)


def test_exponents_from_a_fit_of_a_quadratic(grid):
    h = np.array([[0.10, 0.02, 0.0], [0.02, 0.30, 0.05], [0.0, 0.05, 0.40]])
    x = np.stack([np.log(grid[a]) for a in SIZE], axis=1)
    x -= x.mean(axis=0)
    error = np.exp(-1.7 - x @ [0.1, 0.2, 0.3] + 0.5 * np.einsum("ni,ij,nj->n", x, h, x))
    noise = np.exp(0.002 * np.random.default_rng(1).standard_normal(len(x)))
    points = {**grid, "error": error * noise}
    found = path_exponent(points)
    truth = path_exponents(h[None], found.elasticities)[0][0, 2]
    assert found.low < truth < found.high
    assert found.estimate == pytest.approx(truth, abs=0.01)
    surface = fit(points, "quad3", y="error")
    assert surface_gradient(surface, points) == pytest.approx(x @ h - [0.1, 0.2, 0.3], abs=0.02)
    assert hessians(surface.vector[None])[0] == pytest.approx(h, abs=0.02)


def test_a_saddle_is_not_testable(grid):
    x = np.log(grid["resolution"] / 224)
    points = {**grid, "error": grid["error"] * np.exp(-0.6 * x**2)}
    assert judge_slower(points).value == "not_testable"
    few = {k: v[:9] for k, v in grid.items()}
    assert judge_slower(few).value == "not_testable"


@pytest.mark.slow
def test_units_of_cost_change_no_verdict(grid):
    for judge in (judge_deviation, judge_kink, judge_dispersion, judge_slower,
                  judge_diminishing, judge_depth_first):  # fmt: skip
        assert judge(scaled(grid, 1e-9)).value == judge(grid).value
    one, two = deviation(grid, draws=19), deviation(scaled(grid, 1e3), draws=19)
    assert two.break_cost == pytest.approx(1e3 * one.break_cost, rel=1e-3)
    assert two.sup_f == pytest.approx(one.sup_f)
    assert diminishing(scaled(grid, 7)).estimate == pytest.approx(diminishing(grid).estimate)


@pytest.mark.slow
def test_exponent_intervals_cover(grid):
    """Nominal 95 %; 300 quadratic surfaces with the scatter of the paper's grid."""
    surface = fit(grid, "quad3", y="error")
    truth = path_exponent(grid, count=50).estimate
    mean, sd = surface.log_predict(grid), math.sqrt(surface.variance)
    hits = []
    for seed in range(300):
        noise = sd * np.random.default_rng(seed).standard_normal(len(mean))
        found = path_exponent({**grid, "error": np.exp(mean + noise)}, count=1000)
        hits.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(hits) <= 0.99
