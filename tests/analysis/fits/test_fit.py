"""Fits of scaling laws: known parameters, the global optimum, and bad input."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from analysis.fits.descent import one_thread
from analysis.fits.fit import fit
from analysis.fits.intervals import (
    profile_interval,
)
from analysis.fits.laws import form_of, psl
from analysis.fits.validate import describe, validate
from analysis.fits.weights import configuration_variance, weighted_fit
from helpers.laws import curve
from scaling_study.common.errors import InputError


def language_models(seed, noise=0.015, outliers=6, n=240):
    """Sizes, tokens and losses of the shape that Hoffmann et al. 2022 fitted."""
    generator = np.random.default_rng(seed)
    size = np.exp(generator.uniform(np.log(4e7), np.log(2e10), n))
    tokens = np.exp(generator.uniform(np.log(2e8), np.log(3e11), n))
    loss = 1.8172 + 477.8 / size**0.3473 + 2143 / tokens**0.3672
    loss *= np.exp(noise * generator.standard_normal(n))
    loss[:outliers] *= np.exp(generator.choice([-1, 1], outliers) * 0.15)
    return {"N": size, "D": tokens, "loss": loss}


def huber_fit(table):
    return fit(table, "add", y="loss", x=("N", "D"), loss="huber", huber_delta=1e-3)


def random_starts(table, starts, delta=1e-3):
    """Least summed Huber loss of L-BFGS-B from random starts, on uncentred variables."""
    n, d, y = (np.log(table[c]) for c in ("N", "D", "loss"))

    def loss(p):
        z = np.stack([p[0] - p[3] * n, p[1] - p[4] * d, p[2] + 0 * n])
        top = z.max(axis=0)
        share = np.exp(z - top)
        r = y - top - np.log(share.sum(axis=0))
        share /= share.sum(axis=0)
        a = np.abs(r)
        h = np.where(a <= delta, r * r / 2, delta * (a - delta / 2))
        g = -np.clip(r, -delta, delta)
        slope = [g @ share[0], g @ share[1], g @ share[2], -(g * share[0]) @ n, -(g * share[1]) @ d]
        return 1e6 * h.sum(), 1e6 * np.array(slope)

    generator = np.random.default_rng(0)
    low, high = np.array([0, 0, -1, 0, 0]), np.array([25, 25, 1.5, 2, 2])
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 20_000}
    with one_thread():
        found = [
            minimize(loss, p, jac=True, method="L-BFGS-B", options=options).fun
            for p in generator.uniform(low, high, (starts, 5))
        ]
    return min(found) / 1e6


@pytest.mark.parametrize("seed", [0, 1])
def test_huber_fit_reaches_the_global_optimum(seed):
    table = language_models(seed)
    found = huber_fit(table)
    assert found.accepted
    assert found.loss == pytest.approx(random_starts(table, 12), rel=1e-9)
    assert found.parameters["alpha"] == pytest.approx(0.3473, abs=0.04)
    assert found.parameters["E"] == pytest.approx(1.8172, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 5))
def test_no_random_start_beats_the_fit(seed):
    table = language_models(seed, noise=0.01 + 0.002 * seed, outliers=2 * seed)
    assert huber_fit(table).loss <= random_starts(table, 200) * (1 + 1e-9)


def test_exact_data_give_exact_parameters():
    found = fit(language_models(0, 0.0, 0), "add", y="loss", x=("N", "D"))
    expected = {"E": 1.8172, "A": 477.8, "B": 2143, "alpha": 0.3473, "beta": 0.3672}
    for name, value in expected.items():
        assert found.parameters[name] == pytest.approx(value, rel=1e-5)
    assert found.at_bound == ()


def test_bounded_law_of_three_scales():
    generator = np.random.default_rng(5)
    n, t, d = (np.exp(generator.uniform(0, 4, 80)) for _ in range(3))
    h = 0.8 * n**-0.6 + 0.9 * t**-0.5 + 0.02 * n**0.5 * d**-0.7
    y = 0.1 + (0.9 - 0.1) * h / (1 + h)
    found = fit({"n": n, "t": t, "d": d, "y": y}, psl(0.9), y="y", x=("n", "t", "d"))
    assert np.sqrt(found.loss / found.n) < 1e-4
    with pytest.raises(InputError, match="not below the ceiling"):
        fit({"n": n, "t": t, "d": d, "y": y}, psl(0.2), y="y", x=("n", "t", "d"))


def test_uneven_weights_recover_known_parameters():
    generator = np.random.default_rng(2)
    table = curve(2, n=60, noise=0.0)
    sd = np.where(np.arange(60) % 2, 0.005, 0.10)
    table["y"] = table["y"] * np.exp(sd * generator.standard_normal(60))
    found = fit(table, "spl", y="y", weights=1 / sd**2)
    plain = fit(table, "spl", y="y")
    assert found.parameters["E"] == pytest.approx(0.14, abs=0.004)
    low, high = profile_interval(found, "a")
    wide = profile_interval(plain, "a")
    assert low < 0.4 < high
    assert high - low < 0.3 * (wide[1] - wide[0])
    assert found.variance == pytest.approx(1, rel=0.4)


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(st.floats(1e-6, 1e6))
def test_units_of_cost_change_coefficients_only(factor):
    table = curve(4)
    one = fit(table, "spl", y="y")
    two = fit({**table, "flops": factor * table["flops"]}, "spl", y="y")
    assert two.loss == pytest.approx(one.loss, rel=1e-9)
    assert two.parameters["a"] == pytest.approx(one.parameters["a"], rel=1e-4)
    scale = factor ** one.parameters["a"]
    assert two.parameters["A"] == pytest.approx(one.parameters["A"] * scale, rel=1e-2)


def test_order_of_rows_does_not_matter(grid):
    order = np.random.default_rng(1).permutation(len(grid["error"]))
    one = fit(grid, "add", y="error")
    two = fit({k: v[order] for k, v in grid.items()}, "add", y="error")
    assert two.loss == pytest.approx(one.loss, rel=1e-9)


@pytest.mark.slow
def test_an_optimum_on_a_bound_is_reported():
    cost = np.geomspace(1e7, 1e11, 20)
    found = fit({"c": cost, "y": 5 * cost**-0.15}, "spl", y="y", x="c")
    assert found.parameters["E"] == pytest.approx(0, abs=1e-3)
    steep = fit({"c": np.geomspace(1, 10, 20), "y": np.geomspace(1, 10, 20) ** -3.0}, "pl",
                y="y", x="c")  # fmt: skip
    assert steep.at_bound == ("a",)
    assert steep.parameters["a"] == 2
    rising = curve(1)
    harmless = fit(rising, "u", y="y")
    assert "O" in harmless.at_bound
    assert harmless.parameters["O"] == 0
    assert "at a bound: q, O" in describe(validate(harmless, rising))[1]


def test_huber_delta_by_default_is_of_the_residuals():
    table = curve(3, n=60)
    table["y"][7] *= 2
    robust, plain = (fit(table, "spl", y="y", loss=kind) for kind in ("huber", "squares"))
    spread = np.median(np.abs(plain.residuals - np.median(plain.residuals)))
    assert robust.problem.delta == pytest.approx(1.345 * 1.4826 * spread)
    truth = np.log(0.14 + 0.5 * (table["flops"] / 1e8) ** -0.4)
    off = [np.abs(f.log_predict(table) - truth).max() for f in (robust, plain)]
    assert off[0] < off[1]


def test_weights_of_two_levels():
    generator = np.random.default_rng(66)
    table = curve(6, n=200, noise=0.04)
    se = np.where(np.arange(200) % 2, 0.002, 0.05) * table["y"]
    table["y"] = table["y"] + se * generator.standard_normal(200)
    found = weighted_fit(table | {"se": se}, "spl", y="y", se="se")
    assert math.sqrt(found.tau2) == pytest.approx(0.04, rel=0.2)
    assert found.fit.variance == pytest.approx(1, rel=0.15)
    assert configuration_variance(np.array([0.1, -0.1]), np.array([1.0, 1.0]), 2) == 0


def test_rows_that_cannot_be_used_are_counted():
    table = curve(1)
    table["y"][3], table["flops"][5] = np.nan, 0.0
    found = fit(table, "spl", y="y")
    assert (found.n, found.excluded) == (18, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"form": "splines"}, "form 'splines'; known: pl, spl"),
        ({"y": "loss"}, "no column 'loss'; there are flops, y"),
        ({"x": ("flops", "y")}, "form spl has 1 variables"),
        ({"huber_delta": -1.0, "loss": "huber"}, "huber_delta -1.0 must be positive"),
        ({"weights": [1.0]}, "columns differ in length"),
        ({"table": {"flops": [1.0, 2.0, 3.0], "y": [1.0, 0.5, 0.4]}}, "3 usable rows of 3"),
        ({"table": {"flops": [2.0] * 9, "y": [1.0, 0.5, 0.4] * 3}}, "flops has one value only"),
        ({"table": {"flops": ["a"] * 9, "y": [1.0] * 9}}, "column 'flops' holds no numbers"),
    ],
)
def test_bad_input(changes, said):
    arguments = {"table": curve(0), "form": "spl", "y": "y"} | changes
    with pytest.raises(InputError, match=said):
        fit(arguments.pop("table"), arguments.pop("form"), **arguments)


def test_a_design_without_the_terms_of_a_form(grid):
    square = {k: v[(grid["width"] < 1) & (grid["depth"] < 100)] for k, v in grid.items()}
    with pytest.raises(InputError, match="the points carry 8 of the 10 terms of form quad3"):
        fit(square, "quad3", y="error")
    assert form_of("add", ("a", "b", "c", "d")).k == 9
    with pytest.raises(InputError, match="variables of form add"):
        form_of("add", ("a", "a"))


def test_a_start_replaces_the_search():
    table = curve(11)
    found = fit(table, "spl", y="y")
    again = fit(table, "spl", y="y", start=found.vector)
    assert again.loss == pytest.approx(found.loss, rel=1e-9)
    assert again.starts == 1
    assert replace(again, starts=found.starts).form == found.form
