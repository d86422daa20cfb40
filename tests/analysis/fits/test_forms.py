"""Forms of laws: slopes, units, numbers of parameters."""

import numpy as np
import pytest

from analysis.fits.fit import fit
from analysis.fits.forms import log_value
from analysis.fits.laws import FORMS


@pytest.mark.parametrize("name", FORMS)
def test_slopes_and_units_of_every_form(name):
    form, split = FORMS[name], len(FORMS[name].exponents)
    generator = np.random.default_rng(1)
    x = generator.normal(size=(20, len(form.variables)))
    p = np.append(generator.uniform(0.1, 1, split), generator.normal(-1, 0.3, form.k - split))
    value, slopes = log_value(form, p, x)
    h = 1e-6 * np.eye(form.k)
    numeric = [(log_value(form, p + e, x)[0] - log_value(form, p - e, x)[0]) / 2e-6 for e in h]
    assert slopes == pytest.approx(np.stack(numeric, axis=1), abs=1e-8)
    centre = generator.normal(size=len(form.variables))
    moved = np.concatenate(form.in_units(p[:split], p[split:], centre))
    if form.kind != "log" or split:
        assert log_value(form, moved, x + centre)[0] == pytest.approx(value)


def test_numbers_of_parameters():
    known = {"pl": 2, "spl": 3, "seg": 4, "bnsl1": 6, "u": 5, "quad3": 10, "quad4": 17, "mr": 7,
             "mro": 11, "add": 7, "psl": 8}  # fmt: skip
    assert {name: FORMS[name].k for name in known} == known


@pytest.mark.parametrize("name", ["pl", "spl", "u", "seg"])
def test_forms_of_cost_recover_their_own_data(name):
    cost = np.geomspace(1e7, 1e11, 30)
    known = {
        "pl": 5.0 * cost**-0.15,
        "spl": 0.1 + 30 * cost**-0.3,
        "u": 0.1 + 30 * cost**-0.3 + 1e-4 * cost**0.25,
        "seg": np.exp(-0.2 * np.log(cost) + 0.12 * np.maximum(np.log(cost) - 21.0, 0)),
    }
    found = fit({"c": cost, "y": known[name]}, name, y="y", x="c")
    assert np.sqrt(found.loss / found.n) < 1e-4
    if name == "u":
        assert found.parameters["q"] == pytest.approx(0.25, abs=0.01)
    if name == "seg":
        assert found.parameters["t"] == pytest.approx(21.0, abs=0.01)
