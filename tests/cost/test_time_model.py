"""Forecasts of step times from made-up measurements with a known law."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.made_up_times import NOTHING, SIZES, law, shaken, timings, work
from helpers.tiny import tiny
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import Forecast, Timing, amounts, shape_of


def test_a_power_law_is_found_and_shapes_held_out_are_foretold() -> None:
    known = timings(law, **SIZES)
    times = Times(known, 1)
    run = tiny(**{"model.depth": 50, "model.width": 0.5, "data.resolution": 48})
    step = times.step(run, describe(run))
    assert step is not None
    assert step.value == pytest.approx(law(run), rel=1e-6)
    assert times.forecast(run).held_out_error == pytest.approx(0, abs=1e-6)
    whole = times.whole(run, describe(run))
    assert whole is not None
    assert whole.value == pytest.approx(law(run) * work(describe(run)), rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 3)] * 3), min_size=1, max_size=8, unique=True))
def test_more_work_never_takes_less_time(measured: list[tuple[float, float, float]]) -> None:
    """Whatever a device has shown, a probe that went wrong included."""
    known = Forecast(
        [Timing((), (math.exp(18 + f), math.exp(14 + a), 16), math.exp(t)) for f, a, t in measured]
    )
    sizes = [known.trend((math.exp(17 + n), math.exp(13 + n), 16)) for n in range(6)]
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(sizes))


def test_shapes_that_grow_alike_do_not_run_away() -> None:
    """Six probes along one line with a bad one: by least squares the slopes are wild."""
    rng = np.random.default_rng(4)
    flops = np.linspace(18, 22, 6)
    activations = 0.9 * flops - 4 + rng.normal(0, 0.02, 6)
    y = 0.3 * flops + 0.6 * activations - 25 + np.array([0.1, 0, 0, 0.5, 0, -0.1])
    by_least_squares = np.linalg.lstsq(np.column_stack([flops, activations, np.ones(6)]), y)[0]
    assert by_least_squares[:2].min() < -1
    timings = [
        Timing((), (math.exp(f), math.exp(a), 1), math.exp(t))
        for f, a, t in zip(flops, activations, y, strict=True)
    ]
    beside = Forecast(timings).step_time((math.exp(20), math.exp(13), 1))
    assert beside is not None
    assert beside.value == pytest.approx(math.exp(0.3 * 20 + 0.6 * 13 - 25), rel=0.6)
    assert beside.high / beside.low < 30


def test_held_out_error_is_that_of_leaving_each_shape_out() -> None:
    rng = np.random.default_rng(1)
    known = shaken(timings(law, **SIZES), rng, 0.2)
    off = []
    for held in known:
        rest = Forecast([t for t in known if t is not held])
        step = rest.step_time(held.shape)
        assert step is not None
        # The sign of the error in logarithms is that of the residual.
        off.append(abs(held.step_time_s / step.value - 1))
    assert Forecast(known).held_out_error == pytest.approx(float(np.median(off)), rel=1e-9)


def test_few_or_no_measurements() -> None:
    run = tiny()
    columns = describe(run)
    assert NOTHING.step(run, columns) is None
    one = timings(law, depth=[14])
    assert Forecast(one).step_time(shape_of(columns)) is not None
    assert Forecast(one).held_out_error is None
    # Until shapes tell, time grows as it does elsewhere, and the interval says how little is known.
    flops, activations = 10 * columns["flops"], 10 * columns["activations"]
    other = Forecast(one).step_time((flops, activations, 16))
    assert other is not None
    assert other.value == pytest.approx(10**1.05 * one[0].step_time_s)
    assert other.low < one[0].step_time_s * 6
    assert other.high > one[0].step_time_s * 20
    near = Forecast(one).step_time(one[0].shape)
    assert near is not None
    assert near.low < 0.8 * near.value < 1.2 * near.value < near.high
    slower = [replace(t, wall_s=(t.wall_s or 0) + 5) for t in one]
    whole = Forecast(slower).run_time(columns)
    assert whole is not None
    assert whole.value == pytest.approx(law(run) * work(columns) + 5)


def test_whole_runs_tell_what_is_beside_their_steps() -> None:
    rng = np.random.default_rng(3)
    lengths = [t for n in (2, 4, 20) for t in timings(law, **SIZES, epochs=[n])]
    truth = [1.05 * t.step_time_s * (t.steps + 0.15 * t.scored) + 0.4 for t in lengths]
    known = [
        replace(t, wall_s=s * math.exp(rng.normal(0, 0.05)))
        for t, s in zip(lengths, truth, strict=True)
    ]
    new = tiny(**{"model.depth": 26, "model.width": 0.25, "train.epochs": 200})
    actual = 1.05 * law(new) * work(describe(new), 0.15) + 0.4
    whole = Forecast(known).run_time(describe(new))
    assert whole is not None
    assert whole.value == pytest.approx(actual, rel=0.03)
    assert whole.low is not None
    assert whole.high is not None
    assert 1.1 < whole.high / whole.low < 1.3
    # Of a large data set some images are scored, not all.
    large = {"batch_size": 100, "n_train": 1_000_000, "n_val": 10_000, "epochs": 3}
    large |= {"flops": 7, "train_flops": 3 * 7 * 3 * 1_000_000}
    assert amounts(large) == (30_000, 600)


def test_a_time_model_that_misses_what_was_held_out_is_doubted() -> None:
    rng = np.random.default_rng(0)
    run, known = tiny(), timings(law, **SIZES)
    assert Times(known, 1).notes([run]) == []
    (doubt,) = Times(shaken(known, rng, 3.0), 1).notes([run])
    assert "warning: times of cpu" in doubt
    assert "plan.probe=true measures what was probed again" in doubt
