"""Which look at a study this is: by the runs of its cells, the plan and the declared looks."""

import json
from dataclasses import replace

import pytest

from analysis.__main__ import main
from analysis.rules.evidence import Evidence
from analysis.rules.freeze import FROZEN, Freeze, Plan, freeze_plan
from analysis.rules.looks import look_since_freeze, study_look
from analysis.rules.preregistration import load_rules
from analysis.stats.sequential import Look
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.judged import verdicts
from helpers.made_up_results import runs
from helpers.study import make_study, read_plan, write_plan, write_run, write_study
from scaling_study.study.table import read_study

EVEN, UNEVEN = {"a": 3, "b": 3}, {"a": 2, "b": 5}
LOOKS = [3, 5, 10]


@pytest.mark.parametrize(
    ("counts", "looks", "plan"),
    [
        (EVEN, [], EVEN),
        (UNEVEN, [], UNEVEN),
        (UNEVEN, [], None),
        ({"a": 10, "b": 10}, [10], None),
    ],
    ids=["even plan", "uneven plan", "no plan", "declared"],
)
def test_the_only_planned_look_changes_nothing(counts, looks, plan):
    found = study_look(counts, looks, plan)
    assert (found.look, found.text(0.05)) == (Look(), "")
    assert found.look.nominal(0.05) == 0.05


@pytest.mark.parametrize(
    ("counts", "plan", "look", "place"),
    [
        ({"a": 3, "b": 3}, EVEN, Look(0.3), "look 1 of 3"),
        ({"a": 5, "b": 5}, EVEN, Look(0.5, (0.3,)), "look 2 of 3"),
        ({"a": 10, "b": 10}, EVEN, Look(1.0, (0.3, 0.5)), "look 3 of 3"),
        # Planned with unequal seeds, three per cell on average.
        ({"a": 1, "b": 5}, {"a": 1, "b": 5}, Look(0.3), "look 1 of 3"),
    ],
)
def test_planned_looks_are_counted_by_the_seeds_of_all_cells(counts, plan, look, place):
    found = study_look(counts, LOOKS, plan)
    assert found.look == look
    assert found.text(0.05).startswith(f"{place} (at 3, 5, 10 seeds per cell)")


@pytest.mark.parametrize(
    ("counts", "looks", "plan", "share", "text"),
    [
        ({"a": 4, "b": 4}, [], EVEN, 4 / 3, "4 seeds per cell was not planned (planned: 3)"),
        ({"a": 4, "b": 4}, LOOKS, EVEN, 0.4, "4 seeds per cell was not planned (planned: 3, 5, 10"),
        ({"a": 12, "b": 12}, LOOKS, EVEN, 1.2, "12 seeds per cell was not planned"),
        # Seeds for one cell alone, also where their mean is a declared look.
        ({"a": 3, "b": 6}, [], EVEN, 4 / 3, "3 to 6 seeds per cell was not planned (planned: 3)"),
        ({"a": 3, "b": 7}, LOOKS, EVEN, 0.42, "3 to 7 seeds per cell was not planned"),
        # Planned runs are missing: of a cell, of all, and a whole cell.
        ({"a": 3, "b": 2}, [], EVEN, 0.8, "2 to 3 seeds per cell was not planned"),
        ({"a": 2, "b": 2}, [], EVEN, 2 / 3, "2 seeds per cell was not planned"),
        ({"a": 3}, [], EVEN, 1.0, "0 to 3 seeds per cell was not planned"),
        ({"a": 5, "b": 5}, [], UNEVEN, 5 / (20 / 7), "not planned (planned: 2 to 5)"),
    ],
)
def test_any_other_look_is_unplanned(counts, looks, plan, share, text):
    found = study_look(counts, looks, plan)
    assert found.look == Look(pytest.approx(share), planned=False)
    assert text in found.text(0.05)
    assert found.look.nominal(0.05) < 0.01


def test_what_was_frozen_later_was_not_planned_and_is_not_done_either():
    first = Plan(0.0, {"a-0": "a", "a-1": "a", "b-0": "b", "b-1": "b"})
    later = Plan(9.0, {"a-2": "a"})
    ended = {**first.runs}
    assert look_since_freeze(ended, (), Freeze("", (first,))).look == Look()
    for finished in (ended, {**ended, **later.runs}):
        assert not look_since_freeze(finished, (), Freeze("", (first, later))).look.planned
    # As many as declared, but another one than was planned.
    swapped = {"a-0": "a", "a-2": "a", "b-0": "b", "b-1": "b"}
    assert not look_since_freeze(swapped, (2, 3), Freeze("", (first, later))).look.planned
    # The run ids tell the cell where the freeze knows them, whatever the table calls it.
    assert look_since_freeze(dict.fromkeys(ended, "x"), (), Freeze("", (first,))).look == Look()


@pytest.mark.parametrize(
    ("later", "chosen_by", "planned"),
    [
        ({"b-2": "b", "b-3": "b"}, FROZEN, True),
        ({"b-2": "b", "b-3": "b"}, "", False),
        # Three per cell are declared, not two and a half.
        ({"b-2": "b"}, FROZEN, False),
    ],
    ids=["by the frozen rule", "by hand", "between looks"],
)
def test_a_frozen_allocation_reaches_planned_looks_with_unequal_seeds(later, chosen_by, planned):
    first = Plan(0.0, {"a-0": "a", "a-1": "a", "b-0": "b", "b-1": "b"})
    frozen = Freeze("", (first, Plan(9.0, later, chosen_by)), {"candidates": ["a", "b"]})
    found = look_since_freeze(frozen.runs, [2, 3, 6], frozen).look
    assert found.planned == planned
    assert not planned or found == Look(0.5, (1 / 3,))
    missing = {run: cell for run, cell in frozen.runs.items() if run != "b-1"}
    assert not look_since_freeze(missing, [2, 3, 6], frozen).look.planned


@pytest.fixture
def analysed(tmp_path):
    """Analyse a study: what verdicts.json says of it and its verdicts, and what is printed."""

    def run(study, capsys):
        assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "none"]) == 0
        found = json.loads((tmp_path / "out/verdicts.json").read_text())
        return found["prereg"], verdicts(tmp_path / "out"), capsys.readouterr().out

    return run


def extend(study, results):
    """Plan, freeze and finish these runs too."""
    plan = [*read_plan(study), *({"run_id": r.run_id, "epochs": r.epochs} for r in results)]
    write_plan(study, plan)
    freeze_plan(study, {r.run_id: r.config_id for r in results})
    for result in results:
        write_run(study.parent / "runs", result)


@pytest.mark.slow
@pytest.mark.parametrize("cells", ["d98", "d"], ids=["one cell", "all cells"])
def test_seeds_that_are_added_later_widen_the_interval_and_the_verdict_says_so(
    cells, tmp_path, analysed, capsys
):
    every = runs({4: -0.1, 24: 0.1}, seeds=5)
    study = write_study(tmp_path, [r for r in every if r.seed < 3])
    prereg, before, out = analysed(study, capsys)
    assert (prereg["look"], prereg["exploratory"]) == (None, None)
    assert "look  " not in out
    extend(study, [r for r in every if r.seed > 2 and r.run_id.startswith(cells)])
    prereg, after, out = analysed(study, capsys)
    span = "3 to 5" if cells == "d98" else "5"
    assert f"a look at {span} seeds per cell was not planned (planned: 3)" in prereg["look"]
    assert prereg["look"] in out
    assert prereg["exploratory"] is None
    for name in ("R1-long", "R1-interaction", "R4"):
        assert prereg["look"] in after[name]["notes"]
        assert prereg["look"] not in before[name]["notes"]
    if cells == "d98":
        # Hardly any information is new, and the boundary that holds at all looks is wider.
        widths = [v["R1-long"]["ci_high"] - v["R1-long"]["ci_low"] for v in (before, after)]
        assert widths[1] > 1.2 * widths[0]
    page = (tmp_path / "out/report.html").read_text()
    assert f'<div class="note"><p>A look at {span} seeds per cell was not planned' in page


@pytest.mark.slow
@pytest.mark.usefixtures("verdicts_only")
def test_a_study_with_missing_runs_is_not_at_its_planned_look(tmp_path, analysed, capsys):
    study = write_study(tmp_path, runs({4: -0.1, 24: 0.1}))
    (lost, *_) = sorted((study.parent / "runs").glob("*s2/result.json"))
    lost.unlink()
    prereg, found, _ = analysed(study, capsys)
    assert "2 to 3 seeds per cell was not planned" in prereg["look"]
    assert found["R1-long"]["exploratory"]
    assert prereg["look"] in found["R1-long"]["notes"]


@pytest.mark.slow
@pytest.mark.usefixtures("verdicts_only")
def test_a_diverged_run_does_not_move_the_look(tmp_path, analysed, capsys):
    results = runs({4: -0.1, 24: 0.1})
    results[0] = replace(results[0], status="diverged", val_error=None)
    study = make_study(tmp_path / "some/demo", results, "name: demo\nn_classes: 32\n")
    prereg, _, _ = analysed(study, capsys)
    assert (prereg["look"], prereg["exploratory"]) == (None, None)


def test_cells_without_a_freeze_are_looked_at_by_their_own_seeds(tmp_path):
    study = read_study(write_study(tmp_path, runs({4: -0.1, 24: 0.1})))
    cells = StudyCells.of(table_of(study, {}).rows)
    declared = load_rules(None, {"rules": {"looks": LOOKS}})
    assert Evidence(cells, declared).look == Look(0.3)
    assert Evidence(cells, load_rules(None, {})).look == Look()
    # Where seeds are planned unequally, their mean tells the look that a dry run is about.
    uneven = StudyCells(replace(c, errors=(0.4,) * (2 + 2 * (k % 2))) for k, c in enumerate(cells))
    assert Evidence(uneven, declared).look == Look(0.3)
    # A part of a study is judged at the study's look.
    part, look = cells.select(lambda c: c.width < 0.5), study_look({"a": 4}, LOOKS)
    assert Evidence(part, replace(declared, look=look)).look == look.look


def test_each_plan_of_a_large_study_is_passed_over_a_few_times():
    """And not once for each of its runs."""
    passes = []

    class Counted(dict):
        def items(self):
            passes.append(1)
            return super().items()

    planned = {f"r{number}": f"c{number % 4}" for number in range(1000)}
    frozen = Freeze("", (Plan(0.0, Counted(planned)),))
    look_since_freeze(planned, [], frozen)
    assert 1 <= len(passes) < 10
