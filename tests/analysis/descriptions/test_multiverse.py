"""In how many other analyses of the same runs each verdict is the same."""

import time

import pytest

from analysis.descriptions.multiverse import multiverse
from analysis.descriptions.multiverse_result import Analysis
from analysis.stats.decision import holm
from helpers.default_study import FLOPS, default_study, judged


def values(judgements):
    return {j.rule.name: j.verdict.value for j in judgements}


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 0.03, 0.10])
def test_the_declared_analysis_is_the_first_of_them(gap):
    table, cells, prereg, found = judged(default_study(-gap, gap))
    others = multiverse(table, cells, prereg, found)
    tested = {name: value for name, value in values(found).items() if value != "not_testable"}
    assert others.keys() == tested.keys() >= {"R1", "R1-long", "R1-interaction", "R4"}
    for name, value in tested.items():
        first = next(iter(others[name].verdicts.items()))
        assert first == (Analysis("FLOPs", "", ""), value)
        assert others[name].value == value
        assert 1 <= others[name].same <= len(others[name].made)


@pytest.mark.slow
def test_each_analysis_concludes_what_the_same_rules_do_on_the_changed_table():
    """Independently: the rows that are left, judged as a study of their own."""
    rows = default_study(-0.02, 0.03)
    table, cells, prereg, found = judged(rows)
    others = multiverse(table, cells, prereg, found)
    seen = 0
    for cost, words in (("flops", "FLOPs"), ("params", "parameters")):
        changes = {("", ""): rows}
        for seed in range(3):
            left = [row for row in rows if row["seed"] != seed]
            changes["replicate", f"without seed {seed}"] = left
        for cell in cells:
            left = [row for row in rows if row["config_id"] != cell.config_id]
            changes["cell", f"without {cell.name}"] = left
        for (dimension, label), left in changes.items():
            own = judged(left, cost=cost)[3]
            for name in ("R1-long", "R1-short", "R1-interaction"):
                known = others[name].verdicts
                if (analysis := Analysis(words, dimension, label)) in known:
                    assert known[analysis] == values(own)[name], (name, analysis)
                    seen += 1
    # Two costs; R1-long and R1-short have five cells each, the interaction ten, and three seeds.
    assert seen == 2 * (9 + 9 + 14)


@pytest.mark.slow
def test_a_large_effect_holds_in_all_analyses_and_one_of_a_lucky_cell_does_not():
    large = default_study(-0.3, 0.3)
    lucky = default_study()
    for row in lucky:
        if row["depth"] == 26 and row["epochs"] == 20:
            row["val_error"] *= 0.9
    found = {}
    for name, rows in (("large", large), ("lucky", lucky)):
        found[name] = multiverse(*judged(rows))["R1-long"]
    assert found["large"].value == found["lucky"].value == "supported"
    assert found["large"].same == len(found["large"].made)
    without = [a for a in found["lucky"].made if a.label.startswith("without d26-")]
    assert without
    assert {found["lucky"].made[a] for a in without} <= {"inconclusive", "refuted"}
    assert found["lucky"].same < len(found["lucky"].made)
    assert found["lucky"].count in found["lucky"].description


@pytest.mark.slow
def test_a_rule_of_parts_is_judged_by_its_parts_in_each_analysis():
    table, cells, prereg, found = judged(default_study(-0.06, 0.06))
    others = multiverse(table, cells, prereg, found)
    analyses = others["R1"].verdicts
    assert {a for name in ("R1-long", "R1-short") for a in others[name].verdicts} == {*analyses}
    for analysis, value in analyses.items():
        parts = [
            others[name].verdicts.get(analysis)
            or others[name].verdicts[Analysis(analysis[0], "", "")]
            for name in ("R1-long", "R1-short")
        ]
        if value == "supported":
            assert parts == ["supported", "supported"]


def test_a_rule_of_parts_may_be_refuted_by_one_where_another_cannot_be_tested():
    """Without a cell of short training its part alone cannot be tested."""
    rows = [
        row
        for row in default_study(-0.3, -0.3)
        if row["epochs"] == 20 or row["config_id"] not in ("c1-r16-e4", "c2-r16-e4")
    ]
    table, cells, prereg, found = judged(rows)
    assert values(found)["R1-short"] == "not_testable"
    assert values(found)["R1"] == "refuted"
    others = multiverse(table, cells, prereg, found)
    assert others["R1"].made == {a: v for a, v in others["R1"].verdicts.items() if v == "refuted"}
    assert len(others["R1"].verdicts) == len(others["R1-long"].verdicts)


@pytest.mark.slow
def test_holms_correction_stays_that_of_the_study():
    """A headline claim is as hard to decide in another analysis as in the declared one."""
    declared = {"rules": {**FLOPS["rules"], "rules": {"R1-long": {"headline": True}}}}
    corrections = 0
    for gap in (0.07, 0.1):
        table, cells, prereg, found = judged(default_study(0.0, gap), declared)
        others = multiverse(table, cells, prereg, found)["R1-long"].verdicts
        family = {j.rule.name: j.verdict for j in found if j.rule.headline}
        (rule,) = (j for j in found if j.rule.name == "R1-long")
        for cost in ("step time", "parameters"):
            alone = rule.sensitivities[f"at equal {cost}"].verdict
            corrected = holm({**family, "R1-long": alone}, prereg.alpha)["R1-long"]
            assert others[Analysis(cost, "", "")] == corrected.value
            corrections += corrected.value != alone.value
    assert corrections


@pytest.mark.slow
def test_excluded_runs_are_scored_at_chance_in_each_analysis():
    rows = default_study(-0.3, 0.3)
    lost = [row for row in rows if row["depth"] == 26 and row["epochs"] == 20]
    rest = [row for row in rows if row not in lost[:1]]
    diverged = {**lost[0], "val_error": None, "status": "diverged"}
    plain = multiverse(*judged(rest))["R1-long"]
    found = multiverse(*judged(rest, excluded=[diverged]))["R1-long"]
    assert plain.value == "supported"
    # At chance the arm that diverged is the worse one, unless that replicate or cell is left out.
    assert found.value == "inconclusive"
    seed = lost[0]["seed"]
    left_out = [a for a in found.made if a.label == f"without seed {seed}"]
    left_out += [a for a in found.made if a.label.startswith("without d26-")]
    assert left_out
    assert {found.made[a] for a in left_out} == {"supported"}


@pytest.mark.slow
def test_thirty_runs_take_seconds():
    rows = default_study(-0.02, 0.03)
    table, cells, prereg, found = judged(rows)
    assert len(rows) == 30
    began = time.process_time()
    others = multiverse(table, cells, prereg, found)
    assert time.process_time() - began < 3
    assert sum(len(other.verdicts) for other in others.values()) > 100
