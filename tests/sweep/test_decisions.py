"""What a plan is worth: fairness, and what rules need and can decide."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.descriptions.variants import step_records
from analysis.report.analyse import summary
from analysis.rules.confounders import differences
from analysis.rules.design_analysis import decidable, describe
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import kind_names
from analysis.study.compared_settings import compared
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.commands import Command
from helpers.packaged_plans import FIG3, NOWHERE, planned
from helpers.study import write_study
from scaling_study.planning.plan import Planned
from scaling_study.planning.plan_table import table, write_csv
from scaling_study.study.result import Result
from scaling_study.study.table import read_study
from scaling_study.sweep.decisions import Plan


def lines_of(name: str) -> list[str]:
    rows, grid = planned(name)
    return Plan(rows, NOWHERE, grid, {}).confounders(rows)


def test_what_regimes_set_is_told_by_arm_and_by_length() -> None:
    found = {line.split(": ")[1]: line.split(": ")[2] for line in lines_of(FIG3)}
    assert found["model.dropout"] == (
        "0 at 10, 100 epochs; depth arm 0.25, width arm 0.25 to 0.75 at 350 epochs"
    )
    assert found["model.stochastic_depth"] == (
        "0 at 10, 100 epochs; depth arm 0 to 0.1, width arm 0 at 350 epochs"
    )
    assert found["data.randaugment_magnitude"] == "0 at 10, 100 epochs; 10 to 15 at 350 epochs"
    assert list(found) == sorted(found)
    assert len(found) == 5


def test_levels_are_told_apart_where_a_solved_width_takes_settings_along() -> None:
    dropout = next(line for line in lines_of("paper/slow_resolution") if "model.dropout" in line)
    assert "resolution 224 0.1 to 0.6, resolution 320 0 to 0.25" in dropout
    assert lines_of("paper/table1_additive") == []


def finished(row: Planned, n: int) -> Result:
    return Result(
        **row.columns,
        status="ok",
        device="cuda: made up",
        threads=1,
        world_size=1,
        val_error=0.2 + 0.001 * n,
        step_time_s=0.01 + 1e-4 * n,
    )


def test_a_study_that_is_analysed_says_what_its_regimes_set(tmp_path: Path) -> None:
    rows, grid = planned(FIG3)
    rows = [r for r in rows if r.columns["resolution"] == 128]
    study = write_study(tmp_path, [finished(row, n) for n, row in enumerate(rows)])
    write_csv(rows, grid, study / "plan.csv")
    analysed = table_of(read_study(study), {})
    found = summary(analysed, StudyCells.of(analysed.rows), load_rules(None, grid), [], {})
    assert (
        "model.dropout: 0 at 10, 100 epochs; depth arm 0.25, width arm 0.25 to 0.75 at 350 epochs"
    ) in found["differences"]


def test_settings_that_follow_a_solved_axis_do_not_part_a_series() -> None:
    rows, grid = planned("paper/slow_resolution")
    records = [{**r, "val_error": 0.2 + 0.001 * n} for n, r in enumerate(table(rows, grid))]
    assert len({r["model.dropout"] for r in records}) > 1
    sizes: dict[str, int] = {}
    for record in step_records(StudyCells.of(records), records, grid):
        sizes[record["series"]] = sizes.get(record["series"], 0) + 1
    # Three depths and two targets, each along four resolutions.
    assert sorted(sizes.values()) == [4] * 6


def test_settings_that_a_grid_crosses_are_no_fault() -> None:
    grid = {"axes": {"train.batch_size": [16, 32], "train.lr_per_256": [0.1, 0.2]}}
    rows = [
        {"config_id": f"{b} {r}", "epochs": 1, "seed": 0, "batch_size": b, "lr": r * b / 256,
         "train.batch_size": b, "train.lr_per_256": r}
        for b in (16, 32) for r in (0.1, 0.2)
    ]  # fmt: skip
    assert differences(rows, compared(grid)) == []
    assert differences(rows) == ["lr: 0.00625 to 0.025", "batch_size: 16 to 32"]


def powers(name: str) -> dict[str, Any]:
    rows, grid = planned(name)
    return {p.rule: p for p in Plan(rows, NOWHERE, grid, {}).powers(rows)}


@pytest.mark.slow
def test_every_kind_of_rule_is_asked_before_training() -> None:
    # The packaged rules are of every kind but those that name values of their grid.
    asked = {rule.name: rule.kind for rule in load_rules(None, {}).rules}
    named = {"levels", "level_interaction", "published", "three_way_interaction"}
    assert {*asked.values()} | named == {*kind_names()}
    found = powers("paper/fig2_scaling_grid")
    assert list(found) == list(asked)
    own = ("R2", "R2-depth", "R2-exponent", "R3", "R3-scatter", "R3-harm")
    assert [name for name in found if found[name].testable] == list(own)
    assert "one regime only" in found["R4"].reason
    assert found["R1"].reason == "R1-long, R1-short cannot be tested"
    lines = describe([*found.values()])
    assert f"{', '.join(own)}: testable" in lines
    assert len(lines) < len(found)
    deep = powers(FIG3)
    assert deep["R1"].testable
    assert deep["R4"].testable
    # Independent seeds: the variance of a difference is the sum of both.
    both = [deep[name].se ** 2 for name in ("R1-long", "R1-short")]
    assert deep["R1-interaction"].se ** 2 == pytest.approx(sum(both))
    assert deep["R2"].reason.startswith("0 and 12 resolution steps")


def test_a_rule_about_cells_that_are_not_there_names_them() -> None:
    rule = {"kind": "levels", "along": "width", "levels": [0.5, 1], "at": {"depth": 14}}
    rows = [
        {"config_id": f"{d} {w}", "depth": d, "width": w, "resolution": 32, "epochs": 8,
         "seed": 0, "n_val": 2000, "flops": 1e6}
        for d, w in ((26, 0.5), (26, 1.0))
    ]  # fmt: skip
    rules = load_rules(None, {"rules": {"seed_sd": 0.01, "rules": {"wide": rule}}})
    assert decidable(rows, rules, {})[0].reason == "no run with depth 14, where the rule is about"


def levels(**changes: Any) -> str:
    rule = {"kind": "levels", "along": "depth", "levels": [14, 26]} | changes
    text = ", ".join(f"{key}: {value}" for key, value in rule.items()).replace("'", "")
    return f"+grid.rules={{rules: {{a: {{{text}}}}}}}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (levels(kind="levelz"), "kind: 'levelz' (did you mean levels?)"),
        (levels(along="widht"), "along: this grid has no axis or setting called widht (did"),
        (levels(at={"detph": 14}), "at: this grid has no axis or setting called detph (did"),
        (levels(at={"depth": 15}), "at: no run has depth 15; there are 14, 26"),
        (levels(levels=[14, 27]), "levels: no run has depth 27; there are 14, 26"),
        ("+grid.planning={99999: {error: 0.4, seed_sd: 0.01}}", "no run of 99999 epochs; it has 2"),
        ("+grid.planning={2: {eror: 0.4}}", "planning.2.eror: no such setting (did you mean error"),
        ("+grid.rules={rules: {a: {kind: all, parts: 3}}}", "parts: 3 must be a list"),
        (
            "+grid.rules={rules: {a: {kind: all, parts: [R1-lang]}}}",
            "'R1-lang' (did you mean R1-long?); known: R1-long, R1-short, R1-interaction, R4",
        ),
        ("+grid.rules={1: 2}", "rules.1: no such setting; known: alpha"),
        ("plan.order=foo", "plan.order='foo': must be one of blocked, longest, frontier_first"),
    ],
)
@pytest.mark.parametrize("asked", ["plan.probe=true", "explain=true"])
def test_what_is_declared_is_checked_before_anything(
    argument: str,
    message: str,
    asked: str,
    sweep_here: Command,
    tmp_path: Path,
) -> None:
    done = sweep_here("+grid=smoke", argument, asked)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_of_rules_is_one_line(sweep_here: Command, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "smoke"
    folder.mkdir(parents=True)
    (folder / "prereg.yaml").write_text("a: [\nb: {")
    done = sweep_here("+grid=smoke", "plan.probe=true")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "prereg.yaml is not YAML" in done.stderr


def test_a_sweep_plans_the_seeds_that_its_allocation_chooses(
    tmp_path: Path, sweep_here: Command
) -> None:
    grid = ["+grid=depth_vs_width_large", "grid.axes.seed='range(10)'"]
    told = sweep_here(*grid, "+grid.allocation={kind: fixed, runs: 30}", "dry_run=true",
                 f"plan.out={tmp_path}/plan.csv")  # fmt: skip
    assert told.returncode == 0
    assert re.search(r"30 of 100 runs, .* training FLOPs, 2 to 5 per cell", told.stdout)
    narrow = re.search(r"R1-long: intervals of \+- (.*) % \((.*) % with 3 in every", told.stdout)
    assert narrow is not None
    assert float(narrow[1]) < 0.85 * float(narrow[2])
    with (tmp_path / "plan.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    seeds: dict[str, list[int]] = {}
    for row in rows:
        seeds.setdefault(row["config_id"], []).append(int(row["seed"]))
    assert len(rows) == 30
    assert all(found == list(range(len(found))) for found in seeds.values())
