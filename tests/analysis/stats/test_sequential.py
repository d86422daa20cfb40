"""Several looks and several headlines: Holm's correction, critical values of planned looks."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict, holm, holm_adjusted
from analysis.stats.sequential import Look, critical_values, spent
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


@pytest.mark.parametrize("look", [Look(0.3), Look(0.5, (0.3,)), Look(earlier=(0.3, 0.5)), Look()])
def test_a_p_value_and_an_interval_of_a_look_agree(look):
    for alpha in (0.2, 0.05, 0.005):
        assert look.overall(look.nominal(alpha), alpha) == pytest.approx(alpha, rel=2e-3)
    unplanned = Look(look.share, planned=False)
    assert unplanned.overall(unplanned.nominal(0.05), 0.05) == pytest.approx(0.05)


def test_the_mixture_holds_at_every_look_and_is_least_at_the_planned_end():
    """Brownian motion that is looked at after each seed to three times the planned ones."""
    rng, seeds, planned = np.random.default_rng(5), 60, 20
    z = rng.standard_normal((20_000, seeds)).cumsum(axis=1) / np.sqrt(np.arange(1, seeds + 1))
    looks = [Look(n / planned, planned=False) for n in range(1, seeds + 1)]
    bounds = norm.isf(np.array([look.nominal(0.05) for look in looks]) / 2)
    assert 0.01 < (np.abs(z) > bounds).any(axis=1).mean() < 0.05
    assert np.argmin(bounds / np.sqrt(np.arange(1, seeds + 1)) * np.sqrt(planned)) == seeds - 1
    # At 20 of 20 the half-width is 1.5 times that of a single look (Lindon et al. 2022).
    assert bounds[planned - 1] == pytest.approx(3.03, abs=0.02)


def evidence(tmp_path, **rules):
    study = read_study(write_study(tmp_path, runs({4: -0.1, 24: 0.1}, seeds=2)))
    cells = StudyCells.of(table_of(study, {}).rows)
    return Evidence(cells, load_rules(None, {"rules": rules}))


def test_every_rule_is_judged_at_the_level_of_its_look(tmp_path):
    once, often = (evidence(tmp_path / name, looks=looks) for name, looks in LOOKS.items())
    assert once.alpha == 0.05
    assert norm.isf(often.alpha / 2) == pytest.approx(critical_values((2, 3, 5), 0.05)[0])
    for rule in once.prereg.rules:
        if rule.kind in ("arms", "interaction", "regret"):
            gaps = [
                find_kind(rule.kind).estimate(e, rule, Estimand("flops")).gap for e in (once, often)
            ]
            assert gaps[1].low < gaps[0].low or rule.kind == "regret"
            assert gaps[1].high > gaps[0].high
            assert gaps[0].estimate == gaps[1].estimate


LOOKS = {"once": [], "often": [2, 3, 5]}


def test_p_values_of_every_rule_are_those_of_all_looks(tmp_path):
    found = {}
    for name, looks in LOOKS.items():
        study = read_study(write_study(tmp_path / name, runs({4: -0.01, 24: 0.02}, seeds=2)))
        table = table_of(study, {})
        rules = load_rules(None, {"rules": {"looks": looks}})
        judged = judge(table, StudyCells.of(table.rows), rules)
        found[name] = {j.rule.name: j.verdict.p_supported for j in judged}
    for rule in ("R1-long", "R1-short", "R1-interaction", "R4"):
        once, often = (found[name][rule] for name in LOOKS)
        assert often > once or once >= 0.5


def test_looks_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="must rise"):
        critical_values((3, 2), 0.05)
