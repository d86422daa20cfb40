"""The root of a monotone function, against SciPy's."""

import math
from collections.abc import Callable

import pytest
from scipy.optimize import brentq

from analysis.stats.root import root


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x**3 - 2, 0.0, 5.0),
        (lambda x: math.tanh(1e3 * (x - 0.3)), -4.0, 4.0),
        (lambda x: math.exp(x) - 1e-9, -40.0, 3.0),
        (lambda x: 1e9 - math.exp(x), 0.0, 40.0),
        (lambda x: x - 4, 4.0, 9.0),
        (lambda x: x - 9, 4.0, 9.0),
    ],
)
def test_the_root_is_scipys(function: Callable[[float], float], low: float, high: float) -> None:
    found = root(function, low, high)
    expected = brentq(function, low, high, xtol=1e-15)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_it_takes_few_evaluations() -> None:
    asked = []

    def function(x: float) -> float:
        asked.append(x)
        return x**3 - 2

    root(function, 0.0, 5.0)
    assert len(asked) < 30


def test_an_interval_without_a_root_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        root(lambda x: x + 10, 0.0, 1.0)
