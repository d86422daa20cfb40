"""How often the intervals of forecasts hold, and how wide they are."""

import math
from dataclasses import replace

import numpy as np
import pytest

from helpers.made_up_times import SIZES, law, made_up, rows_of, shaken, timings
from helpers.tiny import tiny
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.step_law import SLOPES, SLOPES_SD
from scaling_study.cost.time_model import Forecast, Timing, shape_of
from scaling_study.planning.plan_table import table


def test_intervals_hold_new_measurements_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    new = tiny(**{"model.depth": 50, "model.width": 0.2})
    held, n = 0, 300
    known = timings(law, **SIZES)
    for _ in range(n):
        noisy = [
            replace(t, step_time_s=t.step_time_s * math.exp(rng.normal(0, 0.1))) for t in known
        ]
        step = Forecast(noisy).step_time(shape_of(describe(new)))
        assert step is not None
        assert step.low is not None
        assert step.high is not None
        held += step.low <= law(new) * math.exp(rng.normal(0, 0.1)) <= step.high
    assert abs(held / n - 0.9) < 3 * math.sqrt(0.9 * 0.1 / n)


@pytest.mark.slow
@pytest.mark.parametrize("scatter", [0.05, 0.5])
@pytest.mark.parametrize("shapes", [1, 2, 3, 4, 6, 12, 40])
def test_intervals_cover_whatever_a_device_is_like(shapes: int, scatter: float) -> None:
    """Devices as the model expects them; shapes that grow nearly or only loosely alike."""
    rng, held, n = np.random.default_rng(shapes), 0, 600
    for _ in range(n):
        k = rng.normal(SLOPES, SLOPES_SD).clip(min=0)
        flops = rng.uniform(18, 24, shapes + 1)
        x = np.column_stack([flops, 0.9 * flops - 5 + rng.normal(0, scatter, shapes + 1)])
        y = x @ k - 20 + rng.normal(0, 0.15, shapes + 1)
        *known, new = (
            Timing((), (*np.exp(row), 1), math.exp(t)) for row, t in zip(x, y, strict=True)
        )
        step = Forecast(known).step_time(new.shape)
        assert step is not None
        held += step.low <= new.step_time_s <= step.high
    assert held / n > 0.85
    if shapes >= 4:
        assert held / n < 0.97


def test_few_repeats_do_not_narrow_a_forecast() -> None:
    rng = np.random.default_rng(2)
    known = shaken(timings(law, **SIZES), rng, 0.3)
    alike = [replace(known[0], step_time_s=known[0].step_time_s * f) for f in (1.0, 1.001)]
    once, again = (Forecast(some).step_time(known[0].shape) for some in (known, known + alike))
    for step in (once, again):
        assert step is not None
        assert step.high is not None
        assert step.high / step.value > 1.1
    many = [replace(known[0], step_time_s=known[0].step_time_s * (1 + f / 1e4)) for f in range(9)]
    surely = Forecast(known + many).step_time(known[0].shape)
    assert surely is not None
    assert surely.high is not None
    assert surely.high / surely.value < 1.01


def test_every_cost_has_an_interval() -> None:
    (row,) = table(rows_of({}, Times([made_up(0.1, tiny())], 1)), {})
    for name in ("memory_bytes", "checkpoint_bytes", "disk_bytes", "forecast_s", "gpu_hours"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"], name
    assert row["data_bytes_low"] == row["data_bytes"] == row["data_bytes_high"]
