"""Frontiers against brute force, indicators against moocore, and edits that must change nothing."""

import math
from dataclasses import replace

import moocore
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.stats.attainment import BAND, attainment_of, cross_fit, deviation, surface
from analysis.stats.indicators import compare, cost_factor, epsilon, hypervolume, reference_of
from analysis.stats.pareto import frontier_of, max_t, on_frontier
from analysis.study.noise import noise_of
from helpers.made_up_results import cell

# Few distinct values, so that duplicates and ties are the rule.
VALUES = st.integers(0, 6)
POINTS = st.lists(st.tuples(VALUES, VALUES), max_size=30)
SOLIDS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=30)
POSITIVE = st.lists(st.tuples(*[st.floats(0.01, 100)] * 2), min_size=1, max_size=25)


def brute(points):
    return [not any(beats(other, point) for other in points) for point in points]


def beats(a, b):
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def columns(points, count=2):
    return np.array(points, dtype=float).reshape(-1, count).T


@given(POINTS)
@example([(1, 1)])
@example([(1, 1)] * 4)
@example([(i, 6 - i) for i in range(7)])
@example([(0, 3), (0, 1), (2, 1), (2, 0)])
def test_frontier_is_brute_force(points):
    assert on_frontier(*columns(points)).tolist() == brute(points)


@given(SOLIDS)
@example([(1, 1, 1)])
@example([(1, 2, 3)] * 3)
@example([(i, 6 - i, 3) for i in range(7)])
def test_frontier_of_three_is_brute_force(points):
    assert on_frontier(*columns(points, 3)).tolist() == brute(points)


def by_sorting(cost, error):
    """The frontier of distinct costs, or of equal points: the running minimum of the error."""
    order = np.lexsort([error, cost])
    cost, error = cost[order], error[order]
    least = np.minimum.accumulate(error)
    new = np.append(True, error[1:] < least[:-1])
    same = (cost == cost[np.maximum.accumulate(np.where(new, np.arange(cost.size), 0))]) & (
        error == least
    )
    found = np.zeros(cost.size, dtype=bool)
    found[order[same]] = True
    return found


@given(POINTS)
def test_backends_agree(points):
    x, y = columns(points)
    ours = on_frontier(x, y)
    if points:
        assert ours.tolist() == by_sorting(x, y).tolist()
    # A constant third column and a repeated second one change nothing.
    assert on_frontier(x, y, np.ones_like(x)).tolist() == ours.tolist()
    assert on_frontier(x, y, y).tolist() == ours.tolist()


@pytest.mark.parametrize("kind", ["random", "front", "rounded"])
def test_backends_agree_on_many_points(kind):
    x, noise = np.random.default_rng(1).random((2, 5000))
    y = {"random": noise, "front": 1 - x, "rounded": noise.round(2)}[kind]
    x = x.round(2) if kind == "rounded" else x
    theirs = by_sorting(x, y)
    assert (on_frontier(x, y) == theirs).all()
    assert on_frontier(x, y).sum() == 5000 if kind == "front" else theirs.sum() < 100


@given(POINTS, st.randoms())
def test_order_changes_nothing(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    cost, error = columns(points)
    moved = on_frontier(cost[order], error[order])
    assert moved.tolist() == on_frontier(cost, error)[order].tolist()


def test_edges_of_the_frontier():
    one = np.array([1.0])
    assert on_frontier(one, one).tolist() == [True]
    assert on_frontier(np.array([2.0, 1, 1])).tolist() == [False, True, True]
    line = np.arange(5.0)
    assert on_frontier(line, -line).all()
    assert on_frontier(np.zeros(3), np.zeros(3)).all()
    for wrong in ((np.array([math.nan]), one), (one, line), ()):
        with pytest.raises(ValueError, match="finite"):
            on_frontier(*wrong)


def some_cells(seeds=4, sd=0.002):
    rng = np.random.default_rng(0)
    return [
        cell(name, cost, tuple(error + rng.normal(0, sd, seeds)))
        for name, cost, error in (("a", 1, 0.5), ("b", 2, 0.4), ("c", 3, 0.45), ("d", 4, 0.3))
    ]


def test_frontier_of_cells():
    cells = some_cells()
    noise = noise_of(cells)
    found = frontier_of(cells, "flops", noise)
    assert found.member.tolist() == [True, True, False, True]
    assert found.probability == pytest.approx([1, 1, 0, 1])
    assert found.best == pytest.approx([cells[i].error for i in (0, 1, 1, 3)])
    assert (found.simultaneous_low <= found.low).all()
    assert (found.low <= found.best).all()
    assert (found.high <= found.simultaneous_high).all()
    worse = [*cells, cell("e", 5, (0.6,) * 4)]
    again = frontier_of(worse, "flops", noise_of(worse))
    assert again.member.tolist() == [*found.member.tolist(), False]
    assert again.best[:4] == pytest.approx(found.best)
    unknown = frontier_of([replace(c, errors=c.errors[:1]) for c in cells], "flops", None)
    assert np.isnan(unknown.low).all()
    with pytest.raises(ValueError, match="measured"):
        frontier_of([replace(cells[0], costs={})], "flops", noise)


def test_probability_counts_frontiers_of_draws():
    cells = some_cells(sd=0.2)
    noise = noise_of(cells)
    found = frontier_of([*cells, replace(cells[1], config_id="a")], "flops", noise)
    rng = np.random.default_rng(5)
    means, se = found.error, found.se
    masks = [on_frontier(found.cost, rng.normal(means, se)) for _ in range(4000)]
    assert found.probability == pytest.approx(np.mean(masks, axis=0), abs=0.04)


def test_frontier_of_the_cells_with_the_cost():
    cells = some_cells()
    small = replace(cells[2], costs=cells[2].costs | {"params": (0.1,)})
    cells = [*cells[:2], small, cells[3], replace(cells[0], config_id="x", costs={"flops": (1,)})]
    found = frontier_of(cells, "params", noise_of(cells))
    assert [c.config_id for c in found.cells] == ["c", "a", "b", "d"]
    assert found.cost.tolist() == pytest.approx([0.1, 1, 2, 4])
    assert found.member.tolist() == [True, False, True, True]
    assert found.best == pytest.approx([cells[i].error for i in (2, 2, 1, 3)])
    assert found.probability == pytest.approx([1, 0, 1, 1])
    with pytest.raises(ValueError, match="step_time_s"):
        frontier_of(cells[-1:], "step_time_s", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "seeds", "scatter"), [(5, 2, 0.005), (20, 2, 0.0), (20, 3, 0.01)]
)
def test_the_band_covers_the_frontier_at_every_cost(count, seeds, scatter):
    """Cells about a falling curve: few of them, nearly equal ones, and such that differ."""
    studies, covered = 200, np.zeros(count)
    for study in range(studies):
        rng = np.random.default_rng([study, count, seeds])
        costs = np.exp(np.sort(rng.uniform(0, 4, count)))
        true = 0.3 * costs**-0.1 + scatter * rng.standard_normal(count)
        runs = true[:, None] + 0.01 * rng.standard_normal((count, seeds))
        cells = [cell(str(i), c, tuple(runs[i])) for i, c in enumerate(costs.tolist())]
        found = frontier_of(cells, "flops", noise_of(cells))
        best = np.minimum.accumulate(true)
        covered += (found.low <= best) & (best <= found.high)
    # 93 % at the worst cost, as far as 200 studies can tell; percentiles alone give 80 %.
    assert covered.min() / studies > 0.89
    assert covered.mean() / studies > 0.93


def test_max_t_of_one_is_t():
    assert max_t(1, math.inf) == pytest.approx(1.96, abs=0.05)
    assert max_t(5, 10) > max_t(1, 10) > max_t(1, math.inf)


@given(POSITIVE, POSITIVE)
def test_indicators_are_those_of_moocore(first, second):
    a, b = np.array(first), np.array(second)
    reference = reference_of(a, b)
    for points in (a, b):
        theirs = moocore.hypervolume(np.log(points), ref=reference)
        assert hypervolume(points, reference) == pytest.approx(theirs, abs=1e-9)
    assert epsilon(a, b) == pytest.approx(moocore.epsilon_mult(a, b))


def test_hypervolume_beyond_two_columns():
    a = np.exp(np.random.default_rng(0).normal(size=(40, 3)))
    reference = reference_of(a)
    flat = np.column_stack([a[:, :2], np.ones(40)])
    height = 2.0
    both = hypervolume(flat, np.append(reference[:2], height))
    assert both == pytest.approx(height * hypervolume(a[:, :2], reference[:2]))
    assert compare(a, a).share_a == pytest.approx(1)


def test_indicators_by_hand():
    a = np.array([[1.0, 0.2], [2.0, 0.1]])
    b = a * [3, 1]
    found = compare(a, b)
    assert found.share_a == 1
    assert 0 < found.share_b < 1
    assert (found.cost_a, found.cost_b) == pytest.approx((1 / 3, 3))
    assert found.epsilon_b == pytest.approx(3)
    assert cost_factor(b[:1], a) == math.inf
    single = compare(a[:1], a[:1])
    assert (single.share_a, single.epsilon_a) == pytest.approx((1, 1))
    for wrong in (np.array([[0.0, 1]]), np.zeros((0, 2)), np.array([[math.nan, 1]])):
        with pytest.raises(ValueError, match="positive"):
            reference_of(wrong)


@given(POSITIVE, st.floats(1, 50), st.floats(1, 50), st.floats(0.1, 10))
def test_what_leaves_indicators_unchanged(points, dearer, worse, unit):
    a = np.array(points)
    b = np.array([[1.0, 0.3], [3.0, 0.2]])
    before = compare(a, b)
    beaten = compare(np.vstack([a, a[:1] * [dearer, worse]]), b)
    assert beaten == before
    scaled = compare(a * [unit, 1], b * [unit, 1])
    assert scaled.share_a == pytest.approx(before.share_a, abs=1e-9)
    assert scaled.cost_a == pytest.approx(before.cost_a)


def test_surfaces_are_those_of_moocore():
    errors = np.random.default_rng(3).random((12, 9))
    cost = np.arange(1.0, 13)
    frontiers = np.minimum.accumulate(errors, axis=0)
    sets = np.repeat(np.arange(9), 12)
    points = np.column_stack([np.tile(cost, 9), errors.T.ravel()])
    theirs = moocore.eaf(points, sets, percentiles=[100 * share for share in BAND])
    for share in BAND:
        steps = theirs[np.isclose(theirs[:, 2], 100 * share)]
        steps = steps[np.argsort(steps[:, 0])]
        at = np.searchsorted(steps[:, 0], cost, side="right") - 1
        assert surface(frontiers, share) == pytest.approx(steps[at, 1])


def test_attainment_of_cells():
    found = attainment_of([*some_cells(3), cell("e", 9, (0.2,) * 5)], "flops")
    assert (found.low <= found.median).all()
    assert (found.median <= found.high).all()
    assert (np.diff(found.median) <= 0).all()
    assert found.median[-1] == 0.2
    with pytest.raises(ValueError, match="two seeds"):
        attainment_of(some_cells(1), "flops")


def test_deviation_grows_with_noise():
    assert deviation([cell("a", 1, (0.5, 0.5)), cell("b", 2, (0.4, 0.4))], "flops") == 0
    assert deviation(some_cells(3, 0.02), "flops") > deviation(some_cells(3), "flops") > 0
    with pytest.raises(ValueError, match="zero"):
        deviation([cell("a", 1, (0.0, 0.1))], "flops")


def test_cross_fit_by_hand():
    errors = np.array([[0.3, 0.3, 0.3], [0.1, 0.4, 0.4]])
    # Without replicate 0 the second looks worse; without the others it looks better.
    assert cross_fit(np.array([1.0, 2.0]), errors) == pytest.approx([0.3, (0.3 + 0.4 + 0.4) / 3])


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 100))
def test_cross_fit_is_not_optimistic_where_the_best_seed_is(seed):
    rng = np.random.default_rng(seed)
    errors = 0.3 + rng.normal(0, 0.01, (200, 20, 3))
    cost = np.ones(20)
    honest = np.mean([cross_fit(cost, e)[0] for e in errors])
    assert honest == pytest.approx(0.3, abs=0.0025)
    assert errors.min(axis=(1, 2)).mean() < 0.285
