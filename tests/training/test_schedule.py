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
