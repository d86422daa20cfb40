"""Speed-ups: Table 7 of Bello et al. 2021, and edits that must change nothing."""

import csv
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.importing.families import family_of, speedup_between
from analysis.paper.tables import PAPER
from analysis.published.tables import HARDWARE, family
from analysis.stats.speedup import (
    Family,
    inverse_frontier,
    mean_log_ratio,
    smooth_log_ratio,
    speedup_of,
)
from analysis.study.noise_prior import published_prior
from scaling_study.common.errors import InputError


def models(names, cost, error, **uncertain):
    zeros = np.zeros(len(cost))
    noise = {"cost_half": zeros, "error_half": zeros, "error_sd": zeros} | uncertain
    return Family(tuple(names), np.array(cost, float), np.array(error, float), **noise)


FAST = models("abc", (1, 2, 4), (0.3, 0.2, 0.1))
SLOW = models("xyz", (3, 6, 12), (0.3, 0.2, 0.1))
CURVES = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 40)), min_size=2, max_size=12
).filter(lambda points: len({e for _, e in points}) > 1)


def curve(points):
    cost, error = np.array(points, dtype=float).T
    return inverse_frontier(cost, error / 50)


def test_speedup_of_a_constant_factor():
    found = speedup_of(FAST, SLOW)
    assert found.ratio == pytest.approx([3, 3, 3])
    assert (found.mean, found.mean_low, found.mean_high) == pytest.approx((3, 3, 3))
    assert found.smooth_ratio == pytest.approx([3, 3, 3])
    assert found.smooth_mean == pytest.approx(3)
    assert found.share == pytest.approx(1)


def test_dominated_models_change_no_speedup():
    slow = models("wxyz", (20, 3, 6, 12), (0.5, 0.3, 0.2, 0.1))
    assert speedup_of(FAST, slow).mean == pytest.approx(3)


@given(CURVES, CURVES, st.floats(1, 9), st.floats(1, 1.2))
def test_bjontegaard_mean_of_edited_tables(a, b, dearer, worse):
    first, second = curve(a), curve(b)
    mean = mean_log_ratio(first, second)
    more = np.array(a, dtype=float)
    beaten = np.vstack([more, more[:1] * [dearer, worse]])
    assert mean_log_ratio(curve(beaten), second) == pytest.approx(mean, nan_ok=True)
    assert mean_log_ratio(curve(a[::-1]), second) == pytest.approx(mean, nan_ok=True)
    assert mean_log_ratio(second, first) == pytest.approx(-mean, nan_ok=True)
    scaled = curve([(c * dearer, e) for c, e in b])
    expected = mean + np.log(dearer)
    assert mean_log_ratio(first, scaled) == pytest.approx(expected, nan_ok=True)


def test_nothing_is_extrapolated():
    slow = models("xyz", (3, 6, 30), (0.4, 0.2, 0.05))
    found = speedup_of(FAST, slow)
    assert found.outside == ("x", "z")
    assert np.isnan(found.smooth_ratio).tolist() == [True, False, True]
    assert found.share < 1
    with pytest.raises(ValueError, match="share no range"):
        speedup_of(FAST, models("xy", (3, 6), (0.05, 0.04)))
    with pytest.raises(ValueError, match="positive"):
        speedup_of(FAST, models("xy", (3, 6), (0.2, 0.0)))


@pytest.mark.parametrize("smooth", [False, True])
def test_means_are_integrals(smooth):
    a = inverse_frontier(np.array([1.0, 2, 5]), np.array([0.4, 0.2, 0.1]))
    b = inverse_frontier(np.array([2.0, 3, 30]), np.array([0.5, 0.3, 0.05]))
    q = np.linspace(max(a[0][0], b[0][0]), min(a[0][-1], b[0][-1]), 100_001)[:-1]
    if smooth:
        each, mean = smooth_log_ratio(a, b, q)
        assert mean == pytest.approx(np.mean(each), abs=1e-4)
    else:
        expected = np.mean(np.interp(q, *b) - np.interp(q, *a))
        assert mean_log_ratio(a, b) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("hardware", "printed", "mean"),
    [("TPUv3", ["1.7", "2.7"], 1.94), ("V100", ["2.1", "3.3"], 2.35)],
)
def test_table_7_with_both_curves(hardware, printed, mean):
    column, unit = HARDWARE[hardware]
    found = speedup_of(
        family("resnet_rs_family", column, unit), family("efficientnet_family", column, unit)
    )
    for ratios in (found.ratio, found.smooth_ratio):
        assert [f"{f(ratios[1:-1]):.1f}" for f in (min, max)] == printed
    assert found.mean == pytest.approx(mean, abs=0.02)
    assert found.smooth_mean == pytest.approx(found.mean, rel=0.01)
    assert found.share == pytest.approx(0.76, abs=0.005)


def frame(name):
    with (PAPER / f"{name}.csv").open(newline="") as file:
        table = pd.DataFrame(list(csv.DictReader(file)))
    return table.assign(wrong=1 - table["top1_pct_paper_table7"].astype(float) / 100)


@pytest.mark.parametrize(("column", "mean"), [("flops_B_paper", 0.30), ("params_M", 0.21)])
def test_any_cost_column_of_frames(column, mean):
    a, b = (
        family_of(frame(name), column, "wrong", n_val=50_000)
        for name in ("resnet_rs_family", "efficientnet_family")
    )
    found = speedup_between(a, b)
    assert found.mean == pytest.approx(mean, abs=0.005)
    assert found.mean_low < found.mean < found.mean_high
    assert found.names[0] == "EfficientNet-B0"
    # A table that says nothing of its data set has the least certain prior.
    factor = published_prior().factor(None, None)
    assert a.error_sd[0] == pytest.approx(0.00146 * factor.scale, abs=1e-5)
    assert a.error_df == factor.df


def test_frames_that_hold_no_family():
    good = pd.DataFrame({"ms": [1, 2], "val_error": [0.3, 0.2]})
    assert family_of(good, "ms").names == ("1", "2")
    assert not family_of(good, "ms").error_sd.any()
    cases = [
        ("s", good, "no column 's'; there are ms, val_error"),
        ("ms", good.assign(ms=[1, 0]), r"holds 0 \(row 2\): must be positive"),
        ("ms", good.assign(ms=["1", "fast"]), "must hold numbers"),
        ("ms", good.assign(ms=[1, None]), "must be positive"),
        ("ms", good.assign(val_error=[22, 21]), "fractions up to 1"),
    ]
    for cost, table, message in cases:
        with pytest.raises(InputError, match=message):
            family_of(table, cost)
    other = family_of(good.assign(val_error=[0.05, 0.04]), "ms")
    with pytest.raises(InputError, match=r"errors 20.0-30.0 % and 4.0-5.0 %"):
        speedup_between(family_of(good, "ms"), other)


def test_noise_widens_intervals_only():
    noisy = replace(SLOW, error_sd=np.full(3, 0.01), cost_cv=0.05)
    found = speedup_of(replace(FAST, error_half=np.full(3, 0.005)), noisy)
    assert found.mean == pytest.approx(3)
    assert found.mean_low < 2.95 < 3.05 < found.mean_high
    unsure = speedup_of(replace(FAST, error_half=np.full(3, 0.005)), replace(noisy, error_df=3))
    assert unsure.mean == found.mean
    assert unsure.mean_high - unsure.mean_low > found.mean_high - found.mean_low
