"""The root of a monotone function, for plans: they do not need the rest of scipy.optimize."""

from collections.abc import Callable

# Of the interval, relative to its larger end or absolute below 1.
PRECISION = 1e-12


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function`, of opposite signs at `low` and `high` or zero at one of them, is zero.

    The Illinois method (Dowell and Jarratt 1971): false position, with the value at an end that
    stays halved.
    """
    at_low, at_high = function(low), function(high)
    if at_low == 0 or low == high:
        return low
    assert at_low * at_high <= 0, (low, high)
    while at_high != 0 and abs(high - low) > PRECISION * max(1.0, abs(low), abs(high)):
        x = high - at_high * (high - low) / (at_high - at_low)
        if not min(low, high) < x < max(low, high):
            x = (low + high) / 2
            if x in (low, high):
                break
        value = function(x)
        if value * at_high < 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = x, value
    return high
