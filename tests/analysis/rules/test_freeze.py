"""What makes verdicts exploratory: every way to look first and to choose afterwards."""

import json
import os
import time
from dataclasses import replace

import pytest
import yaml

from analysis.__main__ import main
from analysis.rules.freeze import exploratory_reasons, freeze_plan, freeze_text, read_freeze
from analysis.rules.preregistration import freeze
from helpers.judged import verdicts
from helpers.made_up_results import runs
from helpers.study import make_study, read_plan, write_plan, write_run, write_study
from scaling_study.common.errors import InputError

EFFECTS = {4: -0.10, 24: 0.10}


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path, runs(EFFECTS))


@pytest.fixture
def reasons(study, tmp_path, verdicts_only):
    """Analyse the study, or another; why its verdicts are exploratory, empty if they are not."""

    def analysed(folder=study, *options):
        assert main([str(folder), "-o", str(tmp_path / "out"), "--formats", "none", *options]) == 0
        found = json.loads((tmp_path / "out/verdicts.json").read_text())
        assert all(
            v["exploratory"] == bool(found["prereg"]["exploratory"])
            for v in verdicts(tmp_path / "out").values()
        )
        return found["prereg"]["exploratory"] or ""

    return analysed


def drop(study, keep):
    """Leave those rows in the plan."""
    write_plan(study, [row for row in read_plan(study) if keep(row["run_id"])])


@pytest.mark.slow
def test_a_study_that_was_frozen_first_is_confirmatory(reasons):
    assert reasons() == ""


def test_an_edit_of_a_rule_of_ones_own_is_seen(tmp_path):
    rule = {"kind": "helpers.own_kind", "axis": "depth", "claim": "deeper is better"}
    freeze(tmp_path, {"rules": {"rules": {"deeper": rule}}})
    freeze_plan(tmp_path, {"run": "cell"})
    frozen = read_freeze(tmp_path)
    assert "helpers.own_kind" in frozen.sources
    asked = (frozen, frozen.rules_sha256, {"run": time.time() + 1}, ["run"], ["run"])
    assert exploratory_reasons(*asked, frozen.sources) == []
    edited = {**frozen.sources, "helpers.own_kind": "another digest"}
    assert exploratory_reasons(*asked, edited) == [
        "the source of rules was changed after the freeze: helpers.own_kind"
    ]


@pytest.mark.slow
def test_a_new_name_over_finished_runs_is_not(study, reasons):
    again = study.with_name("again")
    again.mkdir()
    for name in ("plan.csv", "grid.yaml"):
        (again / name).write_bytes((study / name).read_bytes())
    assert "36 runs precede the freeze" in reasons(again)


@pytest.mark.slow
def test_an_edited_file_that_is_frozen_again_is_not(study, reasons):
    text = (study / "prereg.yaml").read_text().replace("cost: step_time_s", "cost: flops")
    (study / "grid.yaml").write_text("rules: {cost: flops}\n")
    (study / "prereg.yaml").write_text(text)
    assert "the frozen rules were changed afterwards" in reasons()
    (study / "freeze.json").unlink()
    freeze_plan(study, {row["run_id"]: row["run_id"] for row in read_plan(study)})
    assert "36 runs precede the freeze" in reasons()


@pytest.mark.slow
def test_a_freeze_without_a_plan_is_not(study, reasons):
    (study / "freeze.json").unlink()
    assert "rules were frozen without a plan" in reasons()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (lambda run: not run.endswith("s2"), "12 runs of the frozen plan were dropped"),
        (lambda run: not run.startswith("d50"), "dropped from the study"),
    ],
    ids=["seed", "cell"],
)
def test_a_dropped_seed_or_cell_is_not(study, reasons, kept, text):
    before = len(read_plan(study))
    drop(study, kept)
    assert 0 < len(read_plan(study)) < before
    assert text in reasons()


@pytest.mark.slow
def test_seeds_that_are_added_honestly_are_a_look_that_holds(study, reasons, tmp_path):
    first = verdicts(tmp_path / "out") if reasons() == "" else {}
    more = [r for r in runs(EFFECTS, seeds=5) if r.seed > 2]
    rows = [*read_plan(study), *({"run_id": r.run_id, "epochs": r.epochs} for r in more)]
    write_plan(study, rows)
    frozen = (study / "freeze.json").read_bytes()
    freeze_plan(study, {r.run_id: r.config_id for r in more})
    assert (
        json.loads(frozen)["plans"] == json.loads((study / "freeze.json").read_text())["plans"][:1]
    )
    for r in more:
        write_run(study.parent / "runs", r)
    assert reasons() == ""
    later = verdicts(tmp_path / "out")["R1-long"]
    assert any("was not planned" in note for note in later["notes"])
    assert not any("was not planned" in note for note in first["R1-long"]["notes"])


@pytest.mark.slow
def test_seeds_that_no_plan_has_are_not(study, reasons):
    more = [r for r in runs(EFFECTS, seeds=4) if r.seed > 2]
    write_plan(
        study, [*read_plan(study), *({"run_id": r.run_id, "epochs": r.epochs} for r in more)]
    )
    for r in more:
        write_run(study.parent / "runs", r)
    assert "12 runs were not in the frozen plan" in reasons()


@pytest.mark.slow
def test_cells_that_are_added_are_not(study, reasons):
    more = [
        replace(r, run_id=r.run_id.replace("d14", "d20"), config_id="d20", depth=20)
        for r in runs(EFFECTS)
        if r.depth == 14 and r.epochs == 24 and r.width == 0.25
    ]
    write_plan(
        study, [*read_plan(study), *({"run_id": r.run_id, "epochs": r.epochs} for r in more)]
    )
    freeze_plan(study, {r.run_id: r.config_id for r in more})
    for r in more:
        write_run(study.parent / "runs", r)
    assert "1 cells were added after the freeze" in reasons()


@pytest.mark.slow
def test_runs_left_out_for_halved_batches_are_not(tmp_path, reasons):
    results = runs(EFFECTS)
    results[0] = replace(results[0], memory_halvings=1)
    assert "1 finished runs were left out" in reasons(make_study(tmp_path / "halved/demo", results))


@pytest.mark.slow
def test_runs_that_the_rules_exclude_are_expected(tmp_path, reasons):
    results = runs(EFFECTS)
    results[0] = replace(results[0], status="diverged", val_error=None)
    grid = "name: demo\nn_classes: 32\n"
    assert reasons(make_study(tmp_path / "diverged/demo", results, grid)) == ""


@pytest.mark.slow
def test_a_run_that_was_in_work_at_the_freeze_precedes_it(study, reasons):
    """Whoever freezes may have watched it; one that began afterwards nobody has seen."""
    frozen = read_freeze(study).plans[0].at
    first, second, *_ = sorted((study.parent / "runs").iterdir())
    note_attempts(first, [(frozen + 1, frozen + 9)])
    note_attempts(second, [(frozen + 2, frozen + 8)])
    assert reasons() == ""
    note_attempts(first, [(frozen - 1, frozen + 9)])
    assert "1 run precedes the freeze" in reasons()
    # Its first attempt was cut off before, and went on from its checkpoint after the freeze.
    note_attempts(second, [(frozen - 60, frozen - 30), (frozen + 2, frozen + 8)])
    assert "2 runs precede the freeze" in reasons()


def note_attempts(run, times):
    """job.json as a run leaves it whose attempts began and ended at these times."""
    *earlier, last = [{"node": "a", "began": began, "ended": ended} for began, ended in times]
    (run / "job.json").write_text(json.dumps({"pid": 1, **last, "attempts": earlier}))


@pytest.mark.slow
def test_a_copied_store_is_as_old_as_its_notes(study, reasons):
    """Files that were copied are young; job.json says when the run ended."""
    old = time.time() - 86_400
    (run, *_) = sorted((study.parent / "runs").iterdir())
    (run / "job.json").write_text(json.dumps({"ended": old}))
    assert "1 run precedes the freeze" in reasons()
    (run / "job.json").unlink()
    os.utime(run / "result.json", (old, old))
    assert "1 run precedes the freeze" in reasons()


def test_a_record_that_cannot_be_read_is_named(study):
    (study / "freeze.json").write_text("[]")
    with pytest.raises(InputError, match=r"freeze\.json is no record of a freeze"):
        read_freeze(study)


def test_what_is_known_is_not_frozen_again(tmp_path):
    freeze(tmp_path, {})
    freeze_plan(tmp_path, {"a-0": "a", "a-1": "a", "b-0": "b"})
    first = (tmp_path / "freeze.json").read_bytes()
    freeze_plan(tmp_path, {"a-0": "a"})
    assert (tmp_path / "freeze.json").read_bytes() == first
    found = read_freeze(tmp_path)
    assert (found.planned, len(found.runs)) == ({"a": 2, "b": 1}, 3)
    assert found.rules_sha256 == json.loads(first)["rules_sha256"]
    assert yaml.safe_load((tmp_path / "prereg.yaml").read_text())["alpha"] == 0.05


ALLOCATION = {"kind": "adaptive", "rule": "V-optimal", "budget": 9, "candidates": ("b", "c")}


def frozen_with(tmp_path, later, allocation=ALLOCATION, first=ALLOCATION):
    """A freeze of cell a and what was planned later; why verdicts on all of it are exploratory."""
    freeze(tmp_path, {})
    freeze_plan(tmp_path, {"a-0": "a", "a-1": "a"}, first)
    freeze_plan(tmp_path, later, allocation)
    found = read_freeze(tmp_path)
    began = dict.fromkeys(found.runs, time.time() + 9)
    return found, exploratory_reasons(
        found, found.rules_sha256, began, planned=found.runs, analysed=found.runs, sources={}
    )


def test_runs_that_a_frozen_allocation_chooses_are_confirmatory(tmp_path):
    found, reasons = frozen_with(tmp_path, {"a-2": "a", "b-0": "b", "c-0": "c"})
    assert reasons == []
    assert found.allocation == {**ALLOCATION, "candidates": ["b", "c"]}
    assert found.by_allocation
    assert json.loads((tmp_path / "freeze.json").read_text())["allocation"] == found.allocation
    assert freeze_text(found) == (tmp_path / "freeze.json").read_text()


@pytest.mark.parametrize(
    ("later", "allocation", "first", "reason"),
    [
        ({"d-0": "d"}, ALLOCATION, ALLOCATION, "1 cells were added after the freeze"),
        # By hand, though the rule might have chosen it.
        ({"b-0": "b"}, None, ALLOCATION, "1 cells were added after the freeze"),
        ({"b-0": "b"}, {**ALLOCATION, "budget": 99}, ALLOCATION, "changed after the freeze"),
        ({"a-2": "a"}, ALLOCATION, None, "the allocation was declared after the freeze"),
        ({"b-0": "b"}, {"kind": "x"}, {"kind": "x"}, "1 cells were added after the freeze"),
    ],
    ids=["no candidate", "by hand", "changed", "declared late", "without candidates"],
)
def test_what_no_frozen_allocation_chose_is_not(tmp_path, later, allocation, first, reason):
    _, reasons = frozen_with(tmp_path, later, allocation, first)
    assert any(reason in text for text in reasons)


def test_more_seeds_are_an_extension_with_an_allocation_and_without(tmp_path):
    for name, allocation in (("rule", ALLOCATION), ("hand", None)):
        (tmp_path / name).mkdir()
        assert frozen_with(tmp_path / name, {"a-2": "a"}, allocation)[1] == []


@pytest.mark.parametrize("allocation", ["x", {"candidates": 3}])
def test_an_allocation_that_is_none_is_no_record(tmp_path, allocation):
    freeze(tmp_path, {})
    freeze_plan(tmp_path, {"a-0": "a"})
    content = json.loads((tmp_path / "freeze.json").read_text()) | {"allocation": allocation}
    (tmp_path / "freeze.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"freeze\.json is no record of a freeze"):
        read_freeze(tmp_path)
