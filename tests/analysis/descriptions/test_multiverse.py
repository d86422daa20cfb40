"""In how many other analyses of the same runs each verdict is the same."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from calibration.simulator import study

from analysis.__main__ import main
from analysis.descriptions import multiverse as module
from analysis.descriptions.multiverse import multiverse
from analysis.descriptions.multiverse_result import Analysis, Multiverse
from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.stats.decision import holm
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from helpers.judged import verdicts
from helpers.made_up_results import runs
from helpers.study import write_study

FLOPS = {"rules": {"cost": "flops"}}


def default_study(short=0.0, long=0.0, **columns):
    """Rows of 30 runs; step times are measured, activations and parameters are other costs."""
    rows = study(short, long, timing=0.02).rows(np.random.default_rng(3))
    for row in rows:
        row["params"] = row["depth"] * row["width"] ** 2
        row["activations"] = row["flops"] ** 0.8 * row["depth"] ** 0.2
        row["train_flops"] = row["flops"] * row["epochs"]
        row |= columns
    return rows


def table_of_rows(rows, excluded=()):
    epochs = tuple(sorted({row["epochs"] for row in rows}))
    return Table("made up", tuple(rows), tuple(excluded), {}, 32, epochs=epochs)


def judged(rows, declared=FLOPS, excluded=(), cost=None):
    """The table, its cells, the rules and their verdicts."""
    table, prereg = table_of_rows(rows, excluded), load_rules(None, declared)
    cells = StudyCells.of(table.rows, prereg.base)
    return table, cells, prereg, judge(table, cells, prereg, cost)


def values(judgements):
    return {j.rule.name: j.verdict.value for j in judgements}


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


def test_other_interpolations_are_those_of_the_sensitivities():
    table, cells, prereg, found = judged(default_study(-0.02, 0.03))
    others = multiverse(table, cells, prereg, found)
    for j in found:
        if j.rule.name in ("R1-long", "R1-interaction"):
            labels = [a for a in others[j.rule.name].verdicts if a.dimension == "interpolation"]
            at_flops = [a for a in labels if a.cost == "FLOPs"]
            assert len(at_flops) == 3
            for analysis in at_flops:
                same = j.sensitivities[analysis.label].verdict.value
                assert others[j.rule.name].verdicts[analysis] == same


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


def test_costs_that_say_the_same_are_taken_once_and_those_without_range_not():
    rows = default_study(-0.02, 0.03, peak_memory_bytes=3e8)
    found = multiverse(*judged(rows))["R1-long"]
    # Training FLOPs are proportional to FLOPs in each regime; memory is the same everywhere.
    assert {a.cost for a in found.verdicts} == {"FLOPs", "step time", "parameters", "activations"}
    for row in rows:
        row["peak_memory_bytes"] = row["flops"] ** 1.1
    found = multiverse(*judged(rows))["R1-long"]
    assert "peak memory" in {a.cost for a in found.verdicts}


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


def test_cells_of_one_name_are_told_apart():
    rows = default_study(-0.06, 0.06)
    twins = [
        {**row, "settings": (("model.act", "x"),), "config_id": f"{row['config_id']}x"}
        for row in rows
    ]
    found = multiverse(*judged([*rows, *twins]))["R1-long"]
    left_out = [a.label for a in found.verdicts if a.dimension == "cell" and a.cost == "FLOPs"]
    assert len(left_out) == len({*left_out}) == found.cells == 10


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


def test_many_cells_are_changed_one_thing_at_a_time(monkeypatch):
    rows = default_study(-0.02, 0.03)
    whole = multiverse(*judged(rows))["R1-long"]
    monkeypatch.setattr(module, "MOST_CELLS", 100)
    alone = multiverse(*judged(rows))["R1-long"]
    assert {*alone.verdicts} < {*whole.verdicts}
    assert all(a.cost == "FLOPs" or not a.dimension for a in alone.verdicts)
    assert "and, at the declared one, " in alone.description
    monkeypatch.setattr(module, "LEAST", 11)
    fewer = multiverse(*judged(rows))["R1-long"]
    assert len(fewer.verdicts) == 11
    assert fewer.description.endswith("without 1 cell that weighs most")


def test_other_bases_are_those_from_which_both_arms_have_cells():
    """A grid of 3 by 3 has two by two bases with both arms; a star has one."""
    rows = [
        {
            **{"config_id": f"d{d}w{w}e{e}", "run_id": f"d{d}w{w}e{e}s{s}", "depth": d, "width": w},
            **{"resolution": 16, "epochs": e, "seed": s, "status": "ok", "n_val": 8000},
            **{
                "val_error": 0.4 - 0.02 * np.log(d * w) + 0.002 * s * (d % 3 - 1),
                "flops": d * w**2,
            },
        }
        for d in (14, 26, 50)
        for w in (0.25, 0.5, 1.0)
        for e in (4, 20)
        for s in range(3)
    ]
    found = multiverse(*judged(rows))["R1-long"]
    labels = {a.label for a in found.verdicts if a.dimension == "base"}
    assert labels == {
        "from depth 14 and width 0.5",
        "from depth 26 and width 0.25",
        "from depth 26 and width 0.5",
    }
    star = multiverse(*judged(default_study()))["R1-long"]
    assert not [a for a in star.verdicts if a.dimension == "base"]


def test_descriptions_count_what_was_done():
    at = [Analysis(cost, "", "") for cost in ("FLOPs", "parameters")]
    seeds = [Analysis("FLOPs", "replicate", f"without seed {k}") for k in range(3)]
    cell = Analysis("FLOPs", "cell", "without a")
    found = dict.fromkeys([*at, *seeds], "supported") | {cell: "not_testable", at[1]: "refuted"}
    result = Multiverse("supported", found, cells=1)
    assert result.count == "supported in 4 of 5 analyses"
    assert result.description == (
        "supported in 4 of 5 analyses: at 2 costs and, at the declared one, without each of 3 "
        "replicates; 1 more could not be made"
    )
    assert "supported by cost: FLOPs 4 of 4, parameters 0 of 1" in result.shares()
    assert result.record()["verdicts"]["not_testable"] == ["at equal FLOPs, without a"]
    assert sum(map(len, result.record()["verdicts"].values())) == len(found)


def test_the_count_stands_with_each_verdict(tmp_path, capsys, undrawn):
    made = write_study(tmp_path, runs({4: -0.10, 24: 0.10}))
    assert main([str(made), "-o", str(tmp_path / "out")]) == 0
    page, printed = (tmp_path / "out/report.html").read_text(), capsys.readouterr().out
    found = verdicts(tmp_path / "out")
    for name, verdict in found.items():
        if verdict["verdict"] == "not_testable":
            assert "multiverse" not in verdict
            continue
        other = verdict["multiverse"]
        count = f"{verdict['verdict']} in {other['same']} of {other['analyses']} analyses"
        assert other["description"].startswith(count)
        assert f"{other['description'][1:]}.</p>" in page.replace('<span class="whole">', "")
        (line,) = (text for text in printed.splitlines() if text.startswith(f"{name} "))
        assert line.endswith(f"; {count}")
    assert "R1-long" in found
    assert json.loads((tmp_path / "out/verdicts.json").read_text())["study"] == "demo"


def test_thirty_runs_take_seconds():
    rows = default_study(-0.02, 0.03)
    table, cells, prereg, found = judged(rows)
    assert len(rows) == 30
    began = time.process_time()
    others = multiverse(table, cells, prereg, found)
    assert time.process_time() - began < 3
    assert sum(len(other.verdicts) for other in others.values()) > 100


def test_without_a_second_replicate_none_is_left_out():
    rows = [row for row in default_study() if row["seed"] == 0]
    declared = {"rules": {**FLOPS["rules"], "seed_sd": 0.01}}
    found = multiverse(*judged(rows, declared))["R1-long"]
    assert {a.dimension for a in found.verdicts} == {"", "interpolation", "cell"}
    assert replace(found, value="refuted").same == sum(
        value == "refuted" for value in found.made.values()
    )
