"""Validation of a fit on the paper's numbers."""

import pytest

from analysis.fits.fit import fit
from analysis.fits.validate import describe, validate


@pytest.mark.slow
def test_golden_validation(grid):
    surface = validate(fit(grid, "quad3", y="error"), grid, cost="cost", by="resolution")
    assert surface.folds.rmse == pytest.approx(0.026, abs=0.002)
    assert surface.extrapolated[0].rmse == pytest.approx(0.042, abs=0.004)
    assert surface.improvement == pytest.approx(0.59, abs=0.05)
    assert len(surface.left_out) == 5
    separable = validate(fit(grid, "add", y="error"), grid, cost="cost")
    assert separable.folds.rmse == pytest.approx(0.094, abs=0.008)
    assert separable.extrapolated[0].bias < -0.12
    text = "\n".join(describe(surface))
    for part in ("fit quad3", "130 rows, 0 excluded", "10-fold: relative error 2.6 %",
                 "cheapest 75 %", "resolution 448", "improvement", "condition"):  # fmt: skip
        assert part in text


def test_of_three_rows_none_is_beyond_three_quarters():
    rows = {"cost": [1.0, 2.0, 4.0], "error": [0.3, 0.2, 0.15], "id": ["a", "b", "c"]}
    found = validate(fit(rows, "pl", y="error", x="cost"), rows, cost="cost")
    assert [missed.label for missed in found.extrapolated] == ["cheapest 50 %"]


def test_only_the_law_of_the_same_costs_is_its_own_baseline():
    rows = {"cost": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "size": [1.0, 2.0, 9.0, 3.0, 30.0, 7.0]}
    rows["error"] = [0.30, 0.25, 0.21, 0.19, 0.18, 0.175]
    by_cost, by_size = (fit(rows, "spl", y="error", x=name) for name in ("cost", "size"))
    assert validate(by_cost, rows, cost="cost").baseline is None
    assert validate(by_size, rows, cost="cost").baseline is not None
