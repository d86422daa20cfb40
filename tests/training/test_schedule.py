"""Schedules of learning rate and average, against closed forms."""

import math
from itertools import pairwise
from typing import Any

import pytest

from helpers.recipes import recipe
from scaling_study.training.schedule import ema_decay, learning_rate


def rates(steps_per_epoch: int, **changes: Any) -> list[float]:
    plan = recipe(batch_size=256, **changes)
    return [learning_rate(s, steps_per_epoch, plan) for s in range(plan.epochs * steps_per_epoch)]


def test_learning_rate_warms_up_linearly_then_follows_the_cosine() -> None:
    found = rates(5, epochs=20, warmup_epochs=2, lr_per_256=2.0)
    assert found[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    cosine = [1 + math.cos(math.pi * (i + 0.5) / 90) for i in range(90)]
    assert found[10:] == pytest.approx(cosine)


def test_learning_rate_without_warm_up_starts_near_the_peak() -> None:
    assert rates(100, epochs=10, warmup_epochs=0, lr_per_256=1.0)[0] == pytest.approx(1, abs=1e-5)


def test_step_decay_falls_at_its_epochs() -> None:
    found = rates(
        10, epochs=90, warmup_epochs=5, schedule="step", decay_epochs=[30, 60, 80], lr_per_256=1.0
    )
    assert found[49] == 1
    starts = [(0, 0.02), (50, 1), (299, 1), (300, 0.1), (599, 0.1), (600, 0.01), (800, 1e-3)]
    assert [found[step] for step, _ in starts] == pytest.approx([rate for _, rate in starts])
    assert len({f"{rate:.6g}" for rate in found[50:]}) == 4


def test_exponential_decay_is_efficientnets_staircase() -> None:
    found = rates(
        10,
        epochs=24,
        warmup_epochs=0,
        schedule="exponential",
        decay_epochs=[2.4],
        decay_factor=0.97,
        lr_per_256=0.016,
    )
    assert found == pytest.approx([0.016 * 0.97 ** (step // 24) for step in range(240)])


def test_decays_of_the_average_rise_to_their_limit() -> None:
    decays = [ema_decay(n, 0.999) for n in range(20_000)]
    assert decays[0] == pytest.approx(0.1)
    assert all(a <= b for a, b in pairwise(decays))
    assert decays[-1] == 0.999


def test_wsd_is_constant_and_then_falls_as_one_minus_a_root() -> None:
    found = rates(
        10, epochs=10, warmup_epochs=1, schedule="wsd", decay_share=0.4, lr_per_256=3.0, end_lr=1.0
    )
    assert found[9:60] == pytest.approx([3.0] * 51)
    falls = [1 + 2 * (1 - math.sqrt((i + 0.5) / 40)) for i in range(40)]
    assert found[60:] == pytest.approx(falls)


def test_wsd_without_a_stable_part_begins_after_the_warm_up() -> None:
    found = rates(10, epochs=4, warmup_epochs=2, schedule="wsd", decay_share=1.0, lr_per_256=1.0)
    assert found[20:] == pytest.approx([1 - math.sqrt((i + 0.5) / 20) for i in range(20)])


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_polynomial_falls_from_the_peak_to_the_end(power: float) -> None:
    found = rates(
        10,
        epochs=6,
        warmup_epochs=1,
        schedule="polynomial",
        polynomial_power=power,
        lr_per_256=2.0,
        end_lr=0.5,
    )
    expected = [0.5 + 1.5 * (1 - (i + 0.5) / 50) ** power for i in range(50)]
    assert found[10:] == pytest.approx(expected)


def test_a_cosine_may_end_above_zero() -> None:
    plain, lifted = (
        rates(10, epochs=3, warmup_epochs=0, lr_per_256=2.0, end_lr=end) for end in (0.0, 0.5)
    )
    assert lifted == pytest.approx([0.5 + 0.75 * rate for rate in plain])
