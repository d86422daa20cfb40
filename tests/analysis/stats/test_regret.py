"""The regret of a choice: never negative, and open where the choice is open."""

import math

import numpy as np
import pytest
from calibration.simulator import study
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t as student

from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.stats.contrast import Gap
from analysis.stats.regret import _loss_of_choice
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table

RULES = load_rules(None, {})


def gap(estimate, se, df):
    half = student.ppf(0.975, df) * se
    return Gap(estimate, se, df, estimate - half, estimate + half)


gaps = st.builds(gap, st.floats(-0.1, 0.1), st.floats(1e-3, 0.05), st.integers(2, 60))


@given(gaps, gaps, st.floats(1e-4, 0.02))
def test_interval_estimate_and_p_values_agree(chosen, lost, margin):
    found, p_supported, p_refuted = _loss_of_choice(chosen, lost, margin)
    assert 0 <= found.low <= found.estimate <= found.high
    assert (found.low > margin) == (p_supported < 0.025)
    assert (found.high < margin) == (p_refuted < 0.025)
    if chosen.low <= 0 <= chosen.high:
        assert found.low == 0
        assert found.high == max(0.0, lost.high, -lost.low)
        assert p_supported >= 0.025


@given(gaps, gaps)
def test_exchanging_the_arms_changes_nothing(chosen, lost):
    assume(chosen.estimate)  # where both arms are equal the point estimate takes either

    def other(g):
        return gap(-g.estimate, g.se, g.df)

    both = [
        _loss_of_choice(*pair, 0.001) for pair in ((chosen, lost), (other(chosen), other(lost)))
    ]
    for ours, theirs in zip(*both, strict=True):
        ends = [(v.estimate, v.low, v.high) if isinstance(v, Gap) else (v,) for v in (ours, theirs)]
        assert ends[0] == pytest.approx(ends[1])


def judged(made, rows=None):
    rows = made.rows(np.random.default_rng(1)) if rows is None else rows
    table = Table("made", tuple(rows), (), {}, None)
    return {j.rule.name: j for j in judge(table, StudyCells.of(rows), RULES)}["R4"]


@pytest.mark.parametrize("short", [-0.02, 0.02])
@pytest.mark.parametrize("long", [-0.05, 0.0, 0.05])
def test_what_is_found_without_noise_is_the_loss_of_the_winner(short, long):
    made = study(short, long, factors=[1e-3] * 5)
    j = judged(made)
    # The noise, and the tenth of a percent by which a quadratic misses these curves.
    assert j.gap.estimate == pytest.approx(made.regret(), abs=5e-4)
    assert j.verdict.value == ("supported" if made.regret() > 0.001 else "refuted")


def test_where_short_training_does_not_decide_the_interval_covers_both_choices():
    made = study(0.0, 0.05, seeds=10)
    j = judged(made)
    assert (j.gap.low, j.verdict.value) == (0.0, "inconclusive")
    truth = study(-0.01, 0.05).regret()
    assert j.gap.high > truth > 0
    assert any("it does not decide" in note for note in j.notes)


@pytest.mark.slow
def test_more_seeds_in_long_training_alone_do_not_decide():
    """A true regret of 0 with an open short regime: hardly ever supported, however long is sure."""
    made = study(0.002, 0.05)
    supported, studies = 0, 200
    for number in range(studies):
        rows = made.rows(np.random.default_rng([3, number]))
        supported += judged(made, rows).verdict.value == "supported"
    # Nominal 2.5 %; by the binomial 11 of 200 or more happen once in a hundred.
    assert supported <= 10
    assert math.isclose(made.regret(), 0.0)
