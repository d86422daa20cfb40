"""Intervals of fits: draws, profiles, bands, resampling, coverage; lack of fit."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.fits.fit import fit
from analysis.fits.intervals import (
    band,
    covariance,
    draws,
    lack_of_fit,
    profile_interval,
)
from analysis.fits.validate import folds
from helpers.laws import curve


def test_posterior_draws_have_the_moments_of_t(grid):
    surface = fit(grid, "quad3", y="error")
    sample = draws(surface)
    assert sample.shape == (4000, 10)
    assert sample.mean(axis=0) == pytest.approx(surface.vector, abs=0.01)
    factor = surface.df / (surface.df - 2)
    expected = factor * np.diag(covariance(surface))
    assert sample.var(axis=0) == pytest.approx(expected, rel=0.1)
    with pytest.raises(ValueError, match="no exact posterior"):
        draws(fit(grid, "add", y="error"))


def test_profile_of_a_straight_line_is_the_t_interval():
    table = curve(8, e=0.0)
    line, law = (fit(table, form, y="y") for form in ("line", "pl"))
    low, high = profile_interval(line, "flops")
    assert profile_interval(law, "a") == pytest.approx((-high, -low), abs=1e-5)
    low, high = profile_interval(law, "A")
    assert low < law.parameters["A"] < high


def test_the_band_of_a_power_law_is_that_of_a_straight_line():
    """y0 +- t s sqrt(1/n + (x0 - mean)^2 / Sxx) in logs."""
    generator = np.random.default_rng(2)
    cost = np.geomspace(1e6, 1e9, 12)
    error = 0.4 * (cost / 1e6) ** -0.15 * np.exp(0.03 * generator.standard_normal(12))
    at = np.array([1e6, 3e7, 1e9])
    low, high = band(fit({"cost": cost, "error": error}, "pl", y="error", x="cost"), {"cost": at})
    x, y = np.log(cost), np.log(error)
    line = stats.linregress(x, y)
    rest = y - line.intercept - line.slope * x
    s = math.sqrt(float(rest @ rest) / 10)
    away = np.log(at) - x.mean()
    half = stats.t.ppf(0.975, 10) * s * np.sqrt(1 / 12 + away**2 / np.sum((x - x.mean()) ** 2))
    middle = line.intercept + line.slope * np.log(at)
    np.testing.assert_allclose(np.log(low), middle - half, rtol=1e-5)
    np.testing.assert_allclose(np.log(high), middle + half, rtol=1e-5)


@pytest.mark.slow
def test_the_band_of_a_law_with_a_floor_covers_the_truth():
    generator = np.random.default_rng(4)
    cost, at = np.geomspace(1e6, 1e10, 15), {"cost": np.array([1e6, 1e8, 1e10])}
    truth, inside = {c: 0.15 + 0.3 * (c / 1e6) ** -0.4 for c in (1e6, 1e8, 1e10)}, []
    for _ in range(60):
        error = (0.15 + 0.3 * (cost / 1e6) ** -0.4) * np.exp(0.02 * generator.standard_normal(15))
        low, high = band(fit({"cost": cost, "error": error}, "spl", y="error", x="cost"), at)
        inside += [a < t < b for a, t, b in zip(low, truth.values(), high, strict=True)]
    assert 0.88 <= np.mean(inside) <= 1


def test_an_interval_ends_at_a_bound():
    table = curve(9, e=1e-6)
    assert profile_interval(fit(table, "spl", y="y"), "E")[0] == 0
    with pytest.raises(ValueError, match="least squares"):
        profile_interval(fit(table, "spl", y="y", loss="huber"), "E")


def test_points_on_a_form_leave_its_parameters_no_room():
    cost = np.geomspace(1e6, 1e9, 12)
    exact = {"flops": cost, "y": 0.1 + 0.3 * (cost / 1e6) ** -0.4}
    law = fit(exact, "spl", y="y")
    for name, truth in (("E", 0.1), ("A", 0.3 * 1e6**0.4), ("a", 0.4)):
        low, high = profile_interval(law, name)
        assert low <= law.parameters[name] <= high
        assert (low, high) == pytest.approx((truth, truth), rel=1e-5)
    # A line has no break: any is as good, and none is known.
    line = fit({"flops": cost, "y": 0.4 * (cost / 1e6) ** -0.15}, "seg", y="y")
    known = np.array([line.problem.low[0], line.problem.high[0]]) + line.centre[0]
    assert profile_interval(line, "t") == pytest.approx(tuple(known))


def test_configurations_are_left_out_together():
    table = curve(10, n=15)
    twice = {k: np.repeat(v, 4) for k, v in table.items()}
    groups = np.repeat(np.arange(15), 4)
    one = folds(fit(table, "spl", y="y"), 15)
    two = folds(fit(twice, "spl", y="y", groups=groups), 15)
    naive = folds(fit(twice, "spl", y="y"), 60)
    assert two.rmse == pytest.approx(one.rmse, rel=1e-3)
    assert naive.rmse < 0.97 * two.rmse


def test_lack_of_fit(grid):
    surface = fit(grid, "quad3", y="error")
    found = lack_of_fit(surface, grid["error"], grid["se"], 200)
    assert found.p < 1e-6
    v = surface.residuals * grid["error"]
    spread = np.full(len(v), float(np.sqrt(np.sum(v**2) / surface.df)))
    assert lack_of_fit(surface, grid["error"], spread, 200).p > 0.1


@pytest.mark.slow
def test_profile_intervals_cover_the_exponent():
    """Nominal 95 %; 120 data sets, standard error of the count 2.0 %."""
    hits = []
    for seed in range(120):
        table = curve(seed, n=16, noise=0.02)
        low, high = profile_interval(fit(table, "spl", y="y"), "a")
        hits.append(low <= 0.4 <= high)
    assert 0.89 <= np.mean(hits) <= 0.99


@pytest.mark.slow
def test_seeds_do_not_shrink_what_configurations_scatter():
    """Weights 1 / (tau2 + s2 / n) estimate better than n / (tau2 + s2) where n differs."""
    n = np.where(np.arange(40) % 2, 1.0, 20.0)
    offs = []
    for seed in range(200):
        generator = np.random.default_rng(1000 + seed)
        table = curve(seed, n=40, noise=0.04, e=0.0)
        table["y"] = table["y"] * np.exp(0.02 * generator.standard_normal(40) / np.sqrt(n))
        pair = (1 / (0.04**2 + 0.02**2 / n), n / (0.04**2 + 0.02**2))
        offs.append([fit(table, "line", y="y", weights=w).vector[1] + 0.4 for w in pair])
    spread = np.std(offs, axis=0)
    assert spread[0] < 0.85 * spread[1]
