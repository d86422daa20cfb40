"""Frontiers against brute force, and speed-ups that must not change under harmless edits."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.noise import noise_of
from analysis.pareto import frontier_of, max_t, on_frontier
from analysis.speedup import Family, inverse_frontier, mean_log_ratio, speedup_of
from analysis_data import cell

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)


def brute(points):
    return [not any(a <= c and b <= e and (a < c or b < e) for a, b in points) for c, e in points]


@given(POINTS)
def test_frontier_is_brute_force(points):
    cost, error = np.array(points, dtype=float).reshape(-1, 2).T
    assert on_frontier(cost, error).tolist() == brute(points)


@given(POINTS, st.randoms())
def test_order_changes_nothing(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    cost, error = np.array(points, dtype=float).reshape(-1, 2).T
    moved = on_frontier(cost[order], error[order])
    assert moved.tolist() == on_frontier(cost, error)[order].tolist()


def test_edges_of_the_frontier():
    one = np.array([1.0])
    assert on_frontier(one, one).tolist() == [True]
    line = np.arange(5.0)
    assert on_frontier(line, -line).all()
    assert on_frontier(np.zeros(3), np.zeros(3)).all()
    with pytest.raises(ValueError, match="finite"):
        on_frontier(np.array([math.nan]), one)


def test_frontier_of_cells():
    rng = np.random.default_rng(0)
    cells = [
        cell(name, cost, tuple(error + rng.normal(0, 0.002, 4)))
        for name, cost, error in (("a", 1, 0.5), ("b", 2, 0.4), ("c", 3, 0.45), ("d", 4, 0.3))
    ]
    noise = noise_of(cells)
    found = frontier_of(cells, "flops", noise)
    assert found.member.tolist() == [True, True, False, True]
    assert found.probability == pytest.approx([1, 1, 0, 1])
    assert found.best == pytest.approx([cells[i].error for i in (0, 1, 1, 3)])
    assert (found.sure_low <= found.low).all()
    assert (found.low <= found.best).all()
    assert (found.high <= found.sure_high).all()
    worse = [*cells, cell("e", 5, (0.6,) * 4)]
    again = frontier_of(worse, "flops", noise_of(worse))
    assert again.member.tolist() == [*found.member.tolist(), False]
    unknown = frontier_of([replace(c, errors=c.errors[:1]) for c in cells], "flops", None)
    assert np.isnan(unknown.low).all()
    with pytest.raises(ValueError, match="measured"):
        frontier_of([replace(cells[0], costs={})], "flops", noise)


def test_max_t_of_one_is_t():
    assert max_t(1, math.inf) == pytest.approx(1.96, abs=0.05)
    assert max_t(5, 10) > max_t(1, 10) > max_t(1, math.inf)


def family(names, cost, error, **uncertain):
    zeros = np.zeros(len(cost))
    noise = {"cost_half": zeros, "error_half": zeros, "error_sd": zeros} | uncertain
    return Family(tuple(names), np.array(cost, float), np.array(error, float), **noise)


FAST = family("abc", (1, 2, 4), (0.3, 0.2, 0.1))
SLOW = family("xyz", (3, 6, 12), (0.3, 0.2, 0.1))


def test_speedup_of_a_constant_factor():
    found = speedup_of(FAST, SLOW)
    assert found.ratio == pytest.approx([3, 3, 3])
    assert (found.mean, found.mean_low, found.mean_high) == pytest.approx((3, 3, 3))
    assert found.share == pytest.approx(1)


def test_dominated_models_change_no_speedup():
    slow = family("wxyz", (20, 3, 6, 12), (0.5, 0.3, 0.2, 0.1))
    assert speedup_of(FAST, slow).mean == pytest.approx(3)


def test_nothing_is_extrapolated():
    slow = family("xyz", (3, 6, 30), (0.4, 0.2, 0.05))
    found = speedup_of(FAST, slow)
    assert found.outside == ("x", "z")
    assert found.share < 1
    with pytest.raises(ValueError, match="share no range"):
        speedup_of(FAST, family("xy", (3, 6), (0.05, 0.04)))


def test_mean_log_ratio_is_the_integral():
    a = inverse_frontier(np.array([1.0, 2, 5]), np.array([0.4, 0.2, 0.1]))
    b = inverse_frontier(np.array([2.0, 3, 30]), np.array([0.5, 0.3, 0.05]))
    q = np.linspace(max(a[0][0], b[0][0]), min(a[0][-1], b[0][-1]), 100_001)
    expected = np.mean(np.interp(q, *b) - np.interp(q, *a))
    assert mean_log_ratio(a, b) == pytest.approx(expected, abs=1e-4)
