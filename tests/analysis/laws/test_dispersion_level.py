"""R3-scatter on laws with equal scatter of configurations: seed noise is not taken for it."""

import math

import numpy as np
import pytest
from calibration.case import Case
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, lower, run, upper

from analysis.laws import competing_forms

# A study takes half a second, so that these are fewer than the table's.
STUDIES, CELLS, SEEDS = 30, 60, 3


def rows(scatter, rng):
    """Networks at costs over three decades about a law with a floor, which scatter alike.

    The relative SD of runs grows from 1 to 5 % with ln(cost).
    """
    found = []
    for k in range(CELLS):
        share = k / (CELLS - 1)
        cost = 10 ** (3 * share)
        level = math.log(0.12 + 0.3 * cost**-0.35) + scatter * rng.standard_normal()
        for seed in range(SEEDS):
            error = math.exp(level) * (1 + (0.01 + 0.04 * share) * rng.standard_normal())
            found.append(
                {
                    **{"config_id": f"c{k}", "run_id": f"c{k}-s{seed}", "seed": seed},
                    **{"depth": 50.0 + k, "width": 1.0, "resolution": 128, "epochs": 90},
                    **{"status": "ok", "n_val": 50_000, "val_error": error, "flops": 1e9 * cost},
                }
            )
    return found


def case(scatter):
    name = f"configurations scatter by {scatter:g}"
    return Case("R3-scatter", name, 0.0, lambda rng: rows(scatter, rng))


@pytest.mark.slow
@pytest.mark.parametrize("scatter", [0.0, 0.02])
def test_noise_that_grows_with_cost_is_not_taken_for_scatter(scatter):
    tally = run(case(scatter), STUDIES)
    assert tally.estimated == STUDIES
    for side in tally.wrong_sides:
        assert lower(getattr(tally, side), STUDIES, 0.995) <= MOST_WRONG
    assert upper(tally.covered, tally.estimated, 0.995) >= LEAST_COVERAGE


@pytest.mark.slow
def test_residuals_that_are_not_standardised_take_it_for_scatter(monkeypatch):
    """What is protected against."""

    def unknown(points):
        return np.zeros_like(points["error"]), np.ones_like(points["error"])

    monkeypatch.setattr(competing_forms, "_seed_variance", unknown)
    tally = run(case(0.0), STUDIES)
    assert lower(tally.supported, STUDIES) > MOST_WRONG
