"""Random effects: published examples, the definition by draws, and how often intervals hold."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from analysis.stats.random_effects import Measured, RandomEffects, fixed_effect
from helpers.pages import DOCS

# Kacker 2004, table 1: nine laboratories that measured one thing, with their variances.
KACKER = (
    [61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90],
    [0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225],
)
# Hartung & Knapp 2001: answers of patients with cisapride and with placebo, of how many.
CISAPRIDE = (
    [15, 12, 29, 42, 14, 44, 14, 29, 10, 17, 38, 19, 21],
    [16, 16, 34, 56, 22, 54, 17, 58, 14, 26, 44, 29, 38],
    [9, 1, 18, 31, 6, 17, 7, 23, 3, 6, 12, 22, 19],
    [16, 16, 34, 56, 22, 55, 15, 58, 15, 27, 45, 30, 38],
)
FEW = ([0.10, 0.02, 0.05], [0.0004, 0.0001, 0.0009])


def together(values: Sequence[float], variances: Sequence[float]) -> RandomEffects:
    measured = zip(map(float, values), map(float, np.sqrt(variances)), strict=True)
    return RandomEffects(tuple(Measured(y, se) for y, se in measured))


def test_between_laboratories_as_published() -> None:
    """Kacker's estimate of Paule and Mandel's tau; the rest from metafor's rma(method="PM")."""
    found = together(*KACKER)
    assert found.tau == pytest.approx(0.8399, abs=5e-5)
    assert found.tau**2 == pytest.approx(0.705395309224248, abs=1e-9)
    assert found.mean.estimate == pytest.approx(62.4076199113286, abs=1e-9)
    assert found.mean.se == pytest.approx(0.338030602684471, abs=1e-9)
    assert found.mean.df == 8


def test_a_new_trial_as_published() -> None:
    """pimeta's page: odds ratios 0.533 to 33.692 in a new trial, by DerSimonian and Laird's Q.

    Ours is by the generalised Q; ends agree within 2 % of the interval's width in logarithms.
    """
    a, n, c, m = map(np.array, CISAPRIDE)
    table = [part + 0.5 for part in (a, n - a, c, m - c)]
    odds = np.log(table[0] * table[3] / table[1] / table[2])
    found = together(odds, sum(1 / part for part in table))
    assert found.new is not None
    assert found.new == pytest.approx(np.log([0.533, 33.692]), abs=0.02 * np.log(33.692 / 0.533))
    assert found.share_below(0.0) == pytest.approx(0.075, abs=0.01)


@pytest.mark.parametrize("data", [KACKER, FEW], ids=["nine", "three"])
def test_a_new_data_set_is_one_drawn_as_the_definition_says(
    data: tuple[Sequence[float], Sequence[float]],
) -> None:
    found, k = together(*data), len(data[0])
    y, v = np.array(data[0]), np.array(data[1])
    rng = np.random.default_rng(11)
    sums = rng.chisquare(k - 1, 20_000)
    grid = np.concatenate([[0.0], np.geomspace(1e-9, 1e5, 4000)]) * np.var(y)
    weights = 1 / (v + grid[:, None])
    means = (weights @ y) / weights.sum(1)
    q = (weights * (y - means[:, None]) ** 2).sum(1)
    tau2 = np.interp(-sums, -q, grid)  # Q falls with tau^2; beyond its first value tau^2 is 0
    weights = 1 / (v + tau2[:, None])
    total = weights.sum(1)
    mean = (weights @ y) / total
    factor = (weights * (y - mean[:, None]) ** 2).sum(1) / (k - 1)
    se = np.sqrt(np.where(tau2 > 0, factor, np.maximum(factor, 1)) / total)
    draws = mean + rng.standard_normal(len(sums)) * np.sqrt(tau2)
    draws += rng.standard_t(k - 1, len(sums)) * se
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found.new == pytest.approx((low, high), abs=0.04 * (high - low))


def test_where_noise_explains_all_the_interval_is_that_of_the_mean() -> None:
    found = together([0.05, 0.051, 0.049], [0.0004, 0.0001, 0.0009])
    assert found.tau == 0
    assert found.mean.se == pytest.approx(1 / math.sqrt(sum(1 / v for v in (4e-4, 1e-4, 9e-4))))
    assert found.new == pytest.approx(found.mean.interval, rel=1e-2)
    same = together([0.05] * 3, [0.0004] * 3)
    assert same.new == pytest.approx(same.mean.interval, rel=1e-2)


def test_units_and_zero_do_not_matter() -> None:
    plain = together(*FEW)
    moved = together([100 * y + 7 for y in FEW[0]], [1e4 * v for v in FEW[1]])
    assert plain.new is not None
    assert moved.new == pytest.approx([100 * end + 7 for end in plain.new], rel=1e-6)
    assert moved.tau == pytest.approx(100 * plain.tau)


def test_two_data_sets_have_a_mean_and_say_nothing_of_a_third() -> None:
    found = together([0.1, 0.0], [1e-4, 1e-4])
    assert found.new is None
    assert found.mean.estimate == pytest.approx(0.05)
    half = stats.t.ppf(0.975, 1) * 0.05
    assert found.mean.interval == pytest.approx((0.05 - half, 0.05 + half))


def test_a_fixed_effect_weighs_by_precision_and_one_value_stays_as_it_is() -> None:
    one, other = Measured(0.1, 0.01, 1e9), Measured(0.13, 0.02, 1e9)
    found = fixed_effect([one, other])
    assert found.estimate == pytest.approx((0.1 * 4 + 0.13) / 5)
    birge = ((0.1 - found.estimate) / 0.01) ** 2 + ((0.13 - found.estimate) / 0.02) ** 2
    assert birge > 1, "they differ by more than their noise"
    assert found.se == pytest.approx(math.sqrt(birge / (1e4 + 2500)))
    near = fixed_effect([one, Measured(0.1, 0.02, 1e9)])
    assert near.se == pytest.approx(1 / math.sqrt(1e4 + 2500))
    assert fixed_effect([one]) == one


@pytest.mark.slow
def test_a_fixed_effect_of_few_seeds_covers() -> None:
    rng = np.random.default_rng(5)
    for count, df in ((2, 4), (3, 6)):
        held = 0
        for _ in range(3000):
            sd = np.exp(rng.normal(0, 0.3, count))
            y, se = rng.normal(0, sd), sd * np.sqrt(rng.chisquare(df, count) / df)
            low, high = fixed_effect([Measured(*v, df) for v in zip(y, se, strict=True)]).interval
            held += low <= 0 <= high
        assert 0.94 < held / 3000 < 0.98


COLLECTIONS = 300


def covered(k: int, ratio: float) -> tuple[int, int]:
    """Percent of collections of k studies whose intervals hold the mean, and a new effect.

    The SD between data sets is `ratio` times a typical standard error; these differ by a factor of
    exp(0.5) and are themselves known by 6 degrees of freedom, as with three or four seeds a cell.
    """
    rng = np.random.default_rng([k, round(10 * ratio)])
    means = news = 0
    for _ in range(COLLECTIONS):
        sd = np.exp(rng.normal(0, 0.5, k))
        y = rng.normal(0, ratio, k) + rng.normal(0, sd)
        found = together(y, sd**2 * rng.chisquare(6, k) / 6)
        low, high = found.mean.interval
        means += low <= 0 <= high
        news += 0.025 <= found.share_below(rng.normal(0, ratio)) <= 0.975
    return round(100 * means / COLLECTIONS), round(100 * news / COLLECTIONS)


@pytest.mark.slow
def test_the_page_says_how_often_the_intervals_hold() -> None:
    page = (DOCS / "summary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| (\d+) % \| (\d+) % \|$", page, re.MULTILINE)
    assert [int(k) for k, *_ in rows] == [3, 3, 3, 5, 5, 5, 10, 10, 10]
    for k, ratio, mean, new in rows:
        assert covered(int(k), float(ratio)) == (int(mean), int(new))
        assert min(int(mean), int(new)) >= 90
