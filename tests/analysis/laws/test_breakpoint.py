"""Laws that break: the break, its alternatives, harm, on the paper's numbers and made-up ones."""

import math

import numpy as np
import pytest

from analysis.fits.laws import SIZE
from analysis.laws.breakpoint import bootstrap_p, decide_deviation, deviation, low_cost_exponent
from analysis.laws.competing_forms import (
    alternatives,
    dispersion,
)
from analysis.laws.number import by_t
from analysis.laws.points import points_of, steps
from analysis.laws.returns import harm
from helpers.law_judges import (
    judge_depth_first,
    judge_deviation,
    judge_diminishing,
    judge_dispersion,
    judge_harm,
    judge_kink,
)
from helpers.made_up_results import cell


def law_points(y, cost=None):
    """Configurations along one cost axis."""
    cost = np.geomspace(1e8, 1e11, len(y)) if cost is None else cost
    return {"cost": cost, "error": np.asarray(y, dtype=float), "se": np.full(len(y), 0.001)}


def test_golden_break(grid):
    found = deviation(grid)
    assert found.sup_f > 100
    assert 4e9 < found.break_cost < 9e9
    assert found.break_low < found.break_cost < found.break_high
    assert found.slope_below == pytest.approx(-0.192, abs=0.01)
    assert found.slope_above == pytest.approx(-0.065, abs=0.01)
    assert found.p == 0.001
    verdict = judge_deviation(grid)
    assert verdict.value == "supported"
    assert judge_deviation(grid, margin=0.2).value == "refuted"


@pytest.mark.slow
def test_golden_alternatives(grid):
    table = {a.form: a for a in alternatives(grid)}
    assert set(table) == {"pl", "spl", "seg", "u", "bnsl1"}
    assert abs(table["seg"].bic - table["spl"].bic) < 6
    assert table["seg"].bic == pytest.approx(-706.7, abs=3)
    assert table["pl"].bic - table["spl"].bic > 80
    assert sum(a.weight for a in table.values()) == pytest.approx(1)
    assert judge_kink(grid).value == "inconclusive"
    assert "not distinguishable" in judge_kink(grid).reason


def test_golden_dispersion(grid):
    found = dispersion(grid)
    assert found.estimate == pytest.approx(0.31, abs=0.02)
    assert found.p == pytest.approx(4e-4, rel=0.5)
    assert found.sd_below < found.sd_above
    assert judge_dispersion(grid).value == "supported"


def test_golden_harm(grid):
    shares = {axis: harm(grid, axis).estimate for axis in SIZE}
    assert shares["width"] == pytest.approx(0.11, abs=0.01)
    assert shares["depth"] == pytest.approx(0.05, abs=0.015)
    assert shares["resolution"] == 0
    a, b = steps(grid, "width")
    rises = grid["error"][b] - grid["error"][a] > 2 * math.sqrt(2) * 0.001
    wide = grid["width"][a] >= 1
    assert rises[wide].mean() == pytest.approx(0.25, abs=0.02)
    assert not rises[~wide].any()
    assert judge_harm(grid, "width").value == "supported"
    assert judge_harm(grid, "resolution").value != "supported"


def test_exponent_below_the_break(grid):
    broken = deviation(grid, draws=19)
    found = low_cost_exponent(grid, broken)
    assert found.estimate == pytest.approx(-0.20, abs=0.02)
    assert found.low < found.estimate < found.high
    below = grid["cost"] < broken.break_low
    assert (
        low_cost_exponent({name: column[below] for name, column in grid.items()}, broken) == found
    )


def test_a_power_law_is_not_broken():
    x = np.geomspace(1e8, 1e11, 40)
    noise = np.exp(0.03 * np.random.default_rng(3).standard_normal(40))
    verdict = judge_deviation(law_points(30 * x**-0.2 * noise))
    assert verdict.value == "inconclusive"


def test_a_steepening_law_refutes():
    x = np.linspace(0, 7, 40)
    y = np.exp(-0.1 * x - 0.3 * np.maximum(x - 3.5, 0))
    y *= np.exp(0.01 * np.random.default_rng(3).standard_normal(40))
    verdict = judge_deviation(law_points(y, np.exp(x)))
    assert verdict.value == "refuted"
    assert verdict.reason.startswith("reversed")


def test_too_few_configurations_are_not_testable():
    points = law_points(np.linspace(0.5, 0.3, 6))
    for judge in (judge_deviation, judge_kink, judge_dispersion):
        verdict = judge(points)
        assert verdict.value == "not_testable"
        assert "6 configurations" in verdict.reason
    cells = [cell(f"c{i}", 10.0**i, (0.5, 0.49)) for i in range(3)]
    points = points_of(cells, "flops")
    assert judge_harm(points, "depth").reason.startswith("nothing says how runs scatter")
    assert judge_diminishing(points).value == "not_testable"
    assert judge_depth_first(points).value == "not_testable"


@pytest.mark.parametrize("exponent", [0.0, -0.05, -0.1, -0.2, -0.3, -0.5, 0.2])
@pytest.mark.parametrize("n", [10, 12, 20, 33])
def test_points_on_a_line_have_no_break_and_none_is_placed(exponent, n):
    """Which way the last bits of exact points fall differs between machines, and says nothing."""
    points = law_points(0.3 * np.geomspace(1, 1e3, n) ** exponent)
    found = deviation(points, draws=19)
    assert found.estimate == pytest.approx(0, abs=1e-9)
    assert found.break_low < 3e9 < 1e10 < found.break_high
    assert found.p == 1
    verdict = decide_deviation(found, 0.0, 0.05)
    assert verdict.value == "inconclusive"
    assert verdict.p_supported == 1
    assert 0.4 < verdict.p_refuted < 0.6


def test_a_number_of_rounding_alone_is_of_neither_sign():
    for estimate, se in ((3e-17, 0.0), (-2e-16, 1e-17), (1e-15, 1e-18)):
        found = by_t(estimate, se, 5)
        assert found.low < 0 < found.high
        assert found.p_above(0.0) == pytest.approx(0.5, abs=1e-3)
    exact = by_t(0.1, 0.0, 5)
    assert (exact.low, exact.high) == pytest.approx((0.1, 0.1), abs=1e-11)
    assert exact.p_above(0.0) == pytest.approx(1)


@pytest.mark.slow
def test_sup_f_bootstrap_level():
    """Nominal 5 %; 400 true power laws of 60 configurations, standard error 1.1 %."""
    x = np.linspace(0, 7, 60)
    rejected = []
    for seed in range(400):
        y = -0.2 * x + 0.05 * np.random.default_rng(seed).standard_normal(60)
        rejected.append(bootstrap_p(x, y, draws=199, seed=seed)[0] < 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.075
