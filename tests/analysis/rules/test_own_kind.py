"""A rule kind in one file outside the package, declared by its import path."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from analysis.__main__ import main
from analysis.rules.confounders import differences, sides_of
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from helpers.commands import Command
from helpers.judged import verdicts
from helpers.made_up_results import runs
from helpers.pages import blocks
from helpers.study import write_study
from scaling_study.config.hydra_app import composed
from scaling_study.cost.device_times import Times
from scaling_study.planning.plan import plan, planned_cells
from scaling_study.study.store import Store
from scaling_study.sweep.decisions import Plan

OWN = "{deeper: {kind: helpers.own_kind, axis: depth, headline: true, claim: depth helps}}"
GRID = f"name: demo\nrules: {{rules: {OWN}}}\n"


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an analysis with a rule of the kind."""
    root = tmp_path_factory.mktemp("own_kind")
    results = runs({4: -0.05, 24: 0.05})
    diverged = replace(results[-1], status="diverged", val_error=None)
    study = write_study(root, [*results[:-1], diverged], GRID)
    assert main([str(study), "-o", str(root / "out"), "--formats", "none"]) == 0
    return root / "out"


@pytest.mark.slow
def test_it_is_judged_and_recorded(analysed: Path) -> None:
    found = verdicts(analysed)["deeper"]
    assert (found["verdict"], found["kind"]) == ("supported", "helpers.own_kind")
    assert found["claim"] == "depth helps"
    assert found["headline"]
    assert found["epochs"] == 24
    # Error falls with cost to the power 0.2, and the arm gains 0.05 more.
    assert 0.3 < found["ci_low"] < found["estimate"] < found["ci_high"] < 0.6
    assert found["p_holm"] < 0.01
    assert found["notes"][0] == "1 pairs of the largest and the smallest depth"
    assert found["notes"][1].startswith("1 excluded runs by side: 1 depth 14")
    assert {s["name"] for s in found["sensitivities"]} >= {"at equal FLOPs", "at equal parameters"}


@pytest.mark.slow
def test_it_is_worded_in_the_report(analysed: Path) -> None:
    page = (analysed / "report.html").read_text()
    assert "The largest depth gains " in page
    assert "(gain of the largest depth; margin 0.5 %, df " in page


@pytest.mark.slow
def test_its_effect_is_in_the_figure_of_verdicts(analysed: Path) -> None:
    with (analysed / "verdicts.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["rule"] == "deeper"]
    assert rows[0]["variant"] == "declared"
    assert (rows[0]["unit"], rows[0]["verdict"]) == ("percent", "supported")
    assert rows[0]["about"] == "smallest over largest depth, less one"
    assert float(rows[0]["estimate"]) == pytest.approx(
        100 * verdicts(analysed)["deeper"]["estimate"]
    )


def test_its_sides_are_named_where_their_settings_differ() -> None:
    rows = [
        vars(replace(r, batch_size=128 if r.depth == 98 else 64)) for r in runs({24: 0.05}, seeds=2)
    ]
    rules = load_rules(
        None, {"rules": {"rules": {"deeper": {"kind": "helpers.own_kind", "axis": "depth"}}}}
    )
    (found,) = differences(rows, (), sides_of(StudyCells.of(rows), rules))
    assert found.startswith("batch_size: largest 128, smallest 64")


def test_the_dry_run_forecasts_what_it_can_decide(sweep_here: Command) -> None:
    rules = f"+grid.rules={{rules: {OWN}}}"
    done = sweep_here("+grid=smoke", rules, "dry_run=true")
    assert done.returncode == 0, done.stderr
    low = "2 degrees of freedom between seeds; 4 are needed"
    assert f"Depth helps cannot be tested: {low}" in done.stdout
    details = sweep_here("+grid=smoke", rules, "explain=rules")
    assert f"deeper: not testable: {low}" in details.stdout
    done = sweep_here("+grid=smoke", rules, 'grid.axes.seed="range(3)"', "dry_run=true")
    assert "Depth helps: differences of " in done.stdout


def test_a_budget_pays_for_the_cells_that_it_needs() -> None:
    override = ["+grid=smoke", f"+grid.rules={{rules: {OWN}}}"]
    grid, cells, _ = planned_cells(composed("sweep", override), override, Times([], 1))
    rows = plan(cells, Store(Path("none")), {}, Times([], 1))
    sets = Plan(rows, Path("none"), grid, {}).sufficient_cells()[0]
    assert [set(ids) for ids in sets] == [{str(row.columns["config_id"]) for row in rows}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "{kind: helpers.own_kind, axis: detph}",
            "axis: this grid has no axis or setting called detph (did you mean depth?)",
        ),
        ("{kind: helpers.own_kind, axis: 3}", "rules.rules.a.axis: 3 must name an axis"),
        ("{kind: helpers.own_kind, axis: depth, arms: [depth, width]}", "rules.rules.a: 'arms'"),
        (
            "{kind: helpers.no_kind}",
            "rules.rules.a.kind='helpers.no_kind': unknown kind; known: all, arms, departure",
        ),
        ("{kind: helpers.tiny}", "tiny.py declares no KIND"),
        ("{kind: worst}", "or the import path of a module of yours, as in my_rules.my_kind"),
        ("{kind: 3}", "rules.rules.a.kind: 3; known: all, arms"),
    ],
)
def test_what_is_declared_wrongly_is_named(rule: str, message: str, sweep_here: Command) -> None:
    done = sweep_here("+grid=smoke", f"+grid.rules={{rules: {{a: {rule}}}}}", "dry_run=true")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_kind_of_the_page_of_rules_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first block of each language; later ones are about other things.
    text = dict(reversed(blocks("rules.md")))
    (tmp_path / "my_rules").mkdir()
    (tmp_path / "my_rules" / "extremes.py").write_text(text["python"])
    monkeypatch.syspath_prepend(tmp_path)
    grid = {"name": "demo", **yaml.safe_load(text["yaml"])["grid"]}
    study = write_study(tmp_path, runs({24: 0.05}), yaml.safe_dump(grid))
    assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "none"]) == 0
    assert verdicts(tmp_path / "out")["deeper"]["verdict"] == "supported"
    assert "The largest depth gains " in (tmp_path / "out" / "report.html").read_text()
