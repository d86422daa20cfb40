"""The error level of each decision in a series, so that all false keeps together stay rare.

Alpha spending with fallback (Tian & Ramdas 2021, Statistical Methods in Medical Research 30,
arXiv 1910.04900, "online fallback"): decision i has the level

    a_i = alpha * g_i + [the decision before kept its change] * a_(i-1),   sum of all g_i = 1.

Then the chance of any false keep, however many decisions there will be, is at most alpha, whatever
the dependence between decisions (they share runs: what was kept is the next base).
"""

import math
from collections.abc import Iterable, Sequence

ALPHA = 0.05
# Sum over i >= 1 of 1 / ((i + 1) ln(i + 1)^2), from 1e6 terms and the integral of the rest.
TOTAL = 2.109743


def share(number: int) -> float:
    """g_i, the share of the budget of decision i = 1, 2, …: in proportion to 1 / (j ln(j)^2).

    j = i + 1. It falls nearly as slowly as a sum that converges can (Javanmard & Montanari 2018).
    """
    j = number + 1
    return 1 / (TOTAL * j * math.log(j) ** 2)


def level(before: Sequence[tuple[float, bool]], alpha: float = ALPHA) -> float:
    """The level of the next decision, after those `before`: their levels, and whether each kept."""
    own = alpha * share(len(before) + 1)
    return own + (before[-1][0] if before and before[-1][1] else 0.0)


def levels(kept: Iterable[bool], alpha: float = ALPHA) -> list[float]:
    """The levels of a whole series of decisions, of which these kept their changes."""
    past: list[tuple[float, bool]] = []
    for one in kept:
        past.append((level(past, alpha), one))
    return [a for a, _ in past]
