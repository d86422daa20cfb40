"""The best learning rate of a network, and the gap of arms at their best ones."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.stats.best_rate import Rates, best_rate, least
from analysis.stats.cell_means import CellMeans
from analysis.stats.contrast import Estimand, gap_of
from analysis.stats.tuning import Tuning, tuned
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.noise import Noise
from helpers.made_up_results import cell

COST = Estimand("flops")
# ln(cost) of the base, then of the depth arm's cells and of the width arm's.
BASE, DEEP, WIDE = 0.0, (0.5, 1.0), (0.4, 0.8)


def known(cells: list[Cell], sd: float, df: float = math.inf) -> Noise:
    """Noise of a known SD of the error."""
    names = [c.config_id for c in cells]
    return Noise("prior", dict.fromkeys(names, sd**2), dict.fromkeys(names, df), "")


def at_rate(name: str, x: float, b: float, c: float, error: float = 0.3) -> Cell:
    """A network whose ln(error) is b x + c x^2 above ln(0.3), four seeds."""
    value = error * math.exp(b * x + c * x * x)
    return replace(
        cell(f"{name}{x:+.2f}", 1.0, (value,) * 4), trained_lr=0.1, lr_factor=math.exp(x)
    )


def rates(b: float, c: float, low: float = -0.7, high: float = 0.7) -> Rates:
    return Rates("the base", tuple(at_rate("base", x, b, c) for x in (low, 0.0, high)))


def test_least_is_the_least_on_a_fine_grid() -> None:
    rng = np.random.default_rng(1)
    b, c = rng.normal(0, 0.1, (2, 500))
    low, high = -rng.uniform(0.2, 1, 500), rng.uniform(0.2, 1, 500)
    x = low + (high - low) * np.linspace(0, 1, 2001)[:, None]
    assert least(b, c, low, high) == pytest.approx((b * x + c * x**2).min(axis=0), abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-0.7, 0.7), (-1.0, 0.4)])
def test_a_parabola_is_found_exactly(low: float, high: float) -> None:
    found = rates(0.03, 0.08, low, high)
    best = best_rate(found, known(list(found.cells), 1e-7), 0.05)
    x = -0.03 / 0.16
    assert best.factor == pytest.approx(math.exp(x))
    assert best.rate == 0.1
    assert best.gain[0] == pytest.approx(0.03**2 / (4 * 0.08))
    assert best.gain[1] == pytest.approx(best.gain[2], abs=1e-6)
    assert best.low <= best.factor <= best.high <= best.low * 1.06
    assert (best.located, best.outside) == (True, False)


@pytest.mark.parametrize(("b", "c"), [(0.2, 0.05), (-0.2, 0.05), (0.1, -0.05), (0.0, -0.1)])
def test_an_optimum_outside_the_rates_is_said(b: float, c: float) -> None:
    found = rates(b, c)
    best = best_rate(found, known(list(found.cells), 1e-4), 0.05)
    assert (best.located, best.outside) == (False, True)
    assert math.log(best.factor) == pytest.approx(-0.7 if b > 0 or c == -0.1 else 0.7)


def test_where_no_difference_is_seen_no_optimum_is_claimed_outside() -> None:
    found = rates(0.02, 0.001)
    best = best_rate(found, known(list(found.cells), 0.02), 0.05)
    assert (best.located, best.outside) == (False, False)
    assert (best.low, best.high) == pytest.approx(best.tried)


@pytest.mark.slow
def test_the_interval_of_the_best_rate_covers() -> None:
    rng, x, hits = np.random.default_rng(2), 0.2, 0
    sd, studies = 0.006, 400
    for _ in range(studies):
        exact = rates(-2 * 0.08 * x, 0.08)
        noisy = [
            replace(c, errors=tuple(c.error + sd * rng.standard_normal(4))) for c in exact.cells
        ]
        variances = {c.config_id: c.variance for c in noisy}
        pooled = float(np.mean(list(variances.values())))
        replicates = {key: (v, 3) for key, v in variances.items()}
        names = dict.fromkeys(variances, pooled)
        noise = Noise("pooled", names, dict.fromkeys(names, 9.0), "", replicates)
        best = best_rate(Rates("", tuple(noisy)), noise, 0.05)
        hits += best.low * 0.97 <= math.exp(x) <= best.high * 1.03
    assert hits / studies > 0.93


# To second order: near the truth where noise is small, on its safe side where it is not.
@pytest.mark.parametrize(("sd", "near"), [(0.003, 0.05), (0.012, 0.15)])
def test_moments_are_those_of_many_draws(sd: float, near: float) -> None:
    found = rates(0.01, 0.05)
    means = CellMeans(found.cells, known(list(found.cells), sd))

    def least_error(y: np.ndarray) -> np.ndarray:
        b, c = (y @ w for w in found.contrasts)
        return y[..., 1] + least(b, c, *found.x)

    estimate, parts = means.moments(least_error, [(0, 1, 2)])
    rng = np.random.default_rng(3)
    drawn = least_error(means.y + means.se * rng.standard_normal((200_000, 3)))
    bias = drawn.mean() - least_error(means.y)
    assert bias < -0.3 * sd**2 / 0.05
    assert estimate - float(least_error(means.y)) == pytest.approx(-bias, rel=2 * near)
    assert sum(part.value for part in parts) == pytest.approx(drawn.var(), rel=near)


def arms(best: tuple[float, float, float], k: float, gap: float, sd: float) -> Tuning:
    """Arms whose ln(best rate) is linear in ln(cost): at the base, the deep and the wide end.

    At best rates ln(error) is that of depth plus `gap` per ln(cost) for width.
    """
    cells: list[Cell] = []

    def made(name: str, t: float, top: float, end: float, depth: int, width: float) -> Cell:
        x = best[0] + (end - best[0]) * t / top
        slope = gap if width > 1 else 0.0
        for factor in (0.5, 1.0, 2.0):
            error = 0.3 * math.exp(-0.2 * t + slope * t + k * (math.log(factor) - x) ** 2)
            one = cell(f"{name}x{factor:g}", math.exp(t), (error,) * 3, depth, width)
            cells.append(replace(one, trained_lr=0.1, lr_factor=factor))
        return cells[-2]

    base = made("base", BASE, 1.0, best[0], 1, 1.0)
    deep = [made(f"d{t}", t, DEEP[-1], best[1], round(10 * t) + 1, 1.0) for t in DEEP]
    wide = [made(f"w{t}", t, WIDE[-1], best[2], 1, 1 + t) for t in WIDE]
    pair = Pair("all", (base, *deep), (base, *wide))
    by_name = {c.config_id: c for c in cells}
    ends = {
        own.config_id: Rates(
            own.config_id,
            tuple(by_name[own.config_id[:-2] + f"x{f:g}"] for f in (0.5, 1.0, 2.0)),
        )
        for own in (base, deep[-1], wide[-1])
    }
    noise = known(cells, sd)
    plain = gap_of([pair], noise, COST, 0.05, 1.5)
    return tuned(plain, [pair], ends, noise, COST, 0.05)


def test_without_noise_the_gap_is_that_at_best_rates() -> None:
    found = arms((0.1, -0.3, 0.4), 0.08, 0.05, 1e-6)
    # The mean of 0.05 t over the common range, 0 to 0.8; arms are exact where they are quadratic.
    assert found.best.estimate == pytest.approx(0.05 * 0.4, abs=1e-6)
    assert found.recipe.estimate - found.best.estimate == pytest.approx(found.favour.estimate)
    assert abs(found.favour.estimate) > 0.002
    factors = [end.factor for end in found.ends]
    assert factors == pytest.approx([math.exp(x) for x in (0.1, -0.3, 0.4)], rel=1e-4)


def test_equal_sensitivity_favours_no_arm() -> None:
    found = arms((0.0, -0.4 * DEEP[-1], -0.4 * WIDE[-1]), 0.08, 0.05, 1e-6)
    lopsided = arms((0.0, 0.0, -0.4), 0.08, 0.05, 1e-6)
    assert found.favour.estimate == pytest.approx(0, abs=1e-6)
    assert lopsided.favour.estimate > 0.004
    # Width is worse than it need be: the recipe's rate favours depth, the first arm.
    assert lopsided.recipe.estimate > lopsided.best.estimate


def test_the_interval_widens_by_the_rates_uncertainty() -> None:
    found = arms((0.0, 0.3, -0.3), 0.03, 0.05, 0.008)
    assert found.best.se > 1.02 * found.recipe.se
