"""Several looks and several headlines: Holm's correction, critical values of planned looks."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict, holm, holm_adjusted
from analysis.stats.sequential import critical_values, inflation, spent
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.study.table import read_study


def test_holm_by_the_book():
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([]) == []


def test_a_headline_that_holms_correction_does_not_leave_is_lowered():
    family = {
        "a": Verdict("supported", "", p_supported=0.001, p_refuted=0.999),
        "b": Verdict("supported", "", p_supported=0.02, p_refuted=0.98),
        "c": Verdict("inconclusive", "", p_supported=0.2, p_refuted=0.8),
        "d": Verdict("not_testable", ""),
    }
    found = holm(family, 0.05)
    assert found["a"].value == "supported"
    assert found["a"].p_holm == pytest.approx(0.003)
    assert found["b"].value == "inconclusive"
    assert found["b"].reason == "supported by itself, but not among 3 headline claims"
    assert "d" not in found


def test_critical_values_of_planned_looks_spend_the_level():
    z = critical_values((2, 3, 5), 0.05)
    assert z == pytest.approx([2.2239, 2.3674, 2.2672], abs=2e-4)
    rng = np.random.default_rng(4)
    steps = rng.standard_normal((400_000, 5)).cumsum(axis=1)
    crossed = np.abs(steps[:, [1, 2, 4]]) / np.sqrt([2, 3, 5]) > z
    first = [
        crossed[:, 0],
        ~crossed[:, 0] & crossed[:, 1],
        ~crossed[:, :2].any(axis=1) & crossed[:, 2],
    ]
    levels = [spent(n / 5, 0.05) for n in (0, 2, 3, 5)]
    for share, (before, after) in zip(first, pairwise(levels), strict=True):
        assert share.mean() == pytest.approx(after - before, abs=0.001)
    assert critical_values((4,), 0.05) == pytest.approx([norm.isf(0.025)])


def test_planned_looks_widen_the_interval(tmp_path):
    study = read_study(write_study(tmp_path, runs({4: -0.1, 24: 0.1}, seeds=2)))
    cells = StudyCells.of(table_of(study, {}).rows)
    once, often = (
        Evidence(cells, load_rules(None, {"rules": rules})).gap_at(24, Estimand("flops"))[0]
        for rules in ({}, {"looks": [2, 3, 5]})
    )
    assert often.high - often.estimate == pytest.approx(
        inflation((2, 3, 5), 2, 0.05) * (once.high - once.estimate)
    )
    with pytest.raises(ValueError, match="must rise"):
        critical_values((3, 2), 0.05)
