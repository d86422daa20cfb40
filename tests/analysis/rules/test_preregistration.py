"""Rules of a study: changed or broken ones, looks before the end, runs at chance."""

from dataclasses import replace

import pytest

from analysis.__main__ import main
from analysis.rules.judge import judge
from analysis.rules.preregistration import freeze, load_rules
from analysis.rules.wording import lines, record
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.judged import judged, verdicts
from helpers.made_up_results import renamed, runs
from helpers.study import write_study
from scaling_study.study.table import read_study

EFFECTS = {4: -0.10, 24: 0.10}


def test_diverged_runs_scored_at_chance_can_lower_a_verdict(tmp_path):
    results = runs({4: -0.10, 24: 0.03})
    results += [
        replace(renamed(r, "-bad"), config_id=r.config_id, status="diverged", val_error=None)
        for r in results
        if r.epochs == 24 and r.depth == 50
    ]
    study = write_study(tmp_path, results, "name: demo\nn_classes: 32\n")
    found = judged(study)
    assert found["R1-long"].verdict.value == "inconclusive"
    assert "scored at chance" in found["R1-long"].verdict.reason
    assert found["R1-short"].verdict.value == "supported"


def test_changed_rules_make_verdicts_exploratory(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS, seeds=2))
    loaded = read_study(study)
    freeze(study, loaded.grid)
    (study / "grid.yaml").write_text("rules: {margin: 0.0001}\n")
    rules = load_rules(study, read_study(study).grid)
    table = table_of(loaded, {})
    judgements = judge(table, StudyCells.of(table.rows), rules)
    said = [text for text in lines(judgements, rules) if not text.startswith("not testable")]
    assert all("EXPLORATORY" in text for text in said)
    assert record(judgements[0], rules)["exploratory"] is True


@pytest.mark.slow
def test_a_look_before_all_runs_are_there_is_exploratory(tmp_path, capsys):
    results = runs(EFFECTS)
    study = write_study(tmp_path, results)
    (tmp_path / "results" / "runs" / results[0].run_id / "result.json").write_text("[]")
    assert main([str(study), "-o", str(tmp_path), "--formats", "none"]) == 0
    assert "are exploratory, because 1 planned runs have no result" in capsys.readouterr().out
    assert verdicts(tmp_path)["R1-long"]["exploratory"] is True


def test_a_planned_regime_without_results_is_not_replaced_by_another(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS))
    with (study / "plan.csv").open("a") as file:
        file.write("longer-0,400\n")
    found = judged(study)
    assert found["R1-long"].verdict.value == "not_testable"
    assert "no run of 400 epochs" in found["R1-long"].verdict.reason


@pytest.mark.parametrize("content", ["a: [", "- 1", "n_classes: many\n"])
def test_a_broken_grid_file_is_named(tmp_path, content, capsys):
    study = write_study(tmp_path, runs(EFFECTS))
    (study / "grid.yaml").write_text(content)
    assert main([str(study), "-o", str(tmp_path), "--formats", "none"]) == 2
    assert "grid.yaml" in capsys.readouterr().err


def test_rules_about_laws_take_the_studys_cost_where_runs_have_no_flops_of_an_example() -> None:
    def costs(task: object) -> set[str]:
        rules = load_rules(None, {"task": task, "rules": {"cost": "train_flops"}}).rules
        return {rule.cost for rule in rules if rule.name in ("R2", "R3-harm")}

    table = {"name": "table", "outcome": {"name": "loss"}}
    assert costs(table) == {"train_flops"}
    assert costs({**table, "costs": {"flops": "width"}}) == {"flops"}
    assert costs("classification") == {"flops"}
