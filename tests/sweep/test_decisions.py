"""What a plan is worth: fairness, what rules need and can decide, and what a budget takes."""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.descriptions.variants import step_records
from analysis.report.analyse import summary
from analysis.rules.confounders import differences
from analysis.rules.design_analysis import decidable, describe
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import kind_names
from analysis.study.compared_settings import compared
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.analysis_data import write_study
from helpers.commands import Command
from scaling_study.config.hydra_app import composed
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import Estimate
from scaling_study.planning.budget import Budget, affordable
from scaling_study.planning.plan import Planned, plan, planned_cells
from scaling_study.planning.plan_table import table, write_csv
from scaling_study.study.result import Result
from scaling_study.study.store import Store
from scaling_study.study.table import read_study
from scaling_study.sweep.decisions import Plan

NOWHERE = Path("none")


@cache
def planned(name: str) -> tuple[list[Planned], dict[str, Any]]:
    values = composed("sweep", [f"+grid={name}"])
    grid, cells, _ = planned_cells(values, [f"+grid={name}"], Times([], 1))
    return plan(cells, Store(NOWHERE), {}, Times([], 1)), grid


FIG3 = "paper/fig3_depth_vs_width"


def lines_of(name: str) -> list[str]:
    rows, grid = planned(name)
    return Plan(rows, NOWHERE, grid).confounders(rows)


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
    found = summary(analysed, StudyCells.of(analysed.rows), load_rules(None, grid), [])
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
    return {p.rule: p for p in Plan(rows, NOWHERE, grid).powers(rows)}


def test_every_kind_of_rule_is_asked_before_training() -> None:
    # The packaged rules are of every kind but `levels`, which names values of its grid.
    asked = {rule.name: rule.kind for rule in load_rules(None, {}).rules}
    assert {*asked.values(), "levels"} == {*kind_names()}
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


def taken(name: str, limit: float) -> tuple[list[Planned], Plan, Budget]:
    rows, grid = planned(name)
    whole, budget = Plan(rows, NOWHERE, grid), Budget(None, limit, True)
    return affordable(rows, budget, whole.score, whole.sufficient_cells()), whole, budget


def test_a_budget_pays_for_what_decides() -> None:
    part, whole, _ = taken("paper/table1_additive", 2e20)
    assert [row.cell.variant for row in part] == ["baseline", "less weight decay", "ResNet-D"]
    assert whole.score(part)[0] == 2
    part, whole, _ = taken("paper/table2_weight_decay", 2e20)
    testable = {p.rule for p in whole.powers(part) if p.testable}
    assert {"unregularised", "regularised-50", "regularised-200", "less-decay"} == testable


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["paper/table1_additive", "paper/table2_weight_decay", FIG3, "additive_study"]),
    st.floats(0.01, 0.99),
)
def test_a_budget_is_kept_and_no_single_rule_would_be_worth_more(name: str, share: float) -> None:
    rows, _ = planned(name)
    limit = share * sum(row.cost.train_flops for row in rows)
    part, whole, budget = taken(name, limit)
    assert sum(row.cost.train_flops for row in part) <= limit
    for sets in whole.sufficient_cells():
        for ids in sets:
            alone = [row for row in rows if row.columns["config_id"] in ids]
            if budget.allows(alone, rows):
                assert whole.score(part) >= whole.score(alone)


def test_what_the_study_has_started_counts_and_what_it_found_is_free() -> None:
    rows, grid = planned("paper/table1_additive")
    whole = Plan(rows, NOWHERE, grid)
    first = affordable(rows, Budget(None, 2e20, True), whole.score, whole.sufficient_cells())
    ids = frozenset(row.run.run_id for row in first)
    later = [replace(r, state="ok" if r.run.run_id in ids else "planned") for r in rows]
    own = Budget(None, 2e20, True, own=ids)
    assert own.spent(later)["train_flops"] == sum(row.cost.train_flops for row in first)
    again = affordable(later, own, whole.score, whole.sufficient_cells())
    assert {row.run.run_id for row in again} == ids
    # Another study's runs leave the whole budget.
    more = affordable(later, Budget(None, 2e20, True), whole.score, whole.sufficient_cells())
    assert ids < {row.run.run_id for row in more}
    # Runs that took more than was forecast stay, and nothing is added.
    dear = affordable(later, replace(own, train_flops=1e20), whole.score, whole.sufficient_cells())
    assert {row.run.run_id for row in dear} == ids


def test_a_forecast_that_may_exceed_the_budget_says_so() -> None:
    rows, _ = planned("smoke")
    hours = Estimate(0.1, 0.05, 1.0)
    timed = [replace(row, gpu_hours=hours) for row in rows]
    assert Budget(0.5, None, False).allows(timed, timed)
    warning = Budget(0.5, None, False).may_exceed(timed)
    assert "forecast to need 0.4 hours" in warning
    assert "upper end of the 90 % interval, 4, exceeds the limit" in warning
    assert Budget(4.0, None, False).may_exceed(timed) == ""
    assert Budget(4.0, None, False).may_exceed([replace(r, state="ok") for r in timed]) == ""


def test_a_budget_is_that_of_the_study(
    command: Command, sweep_here: Command, tmp_path: Path
) -> None:
    call = ("+grid=smoke", "budget.train_flops=2.5e9", "budget.fit=true")
    first, second = command("scaling_study.sweep", *call), sweep_here(*call)
    assert first.returncode == second.returncode == 0, second.stderr
    assert "already spent" not in first.stdout
    assert "already spent by this study: train_flops 1.99" in second.stdout
    runs = tmp_path / "results" / "runs"
    assert len(list(runs.glob("d*"))) == 2
    with (tmp_path / "results" / "smoke" / "plan.csv").open() as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert states == ["ok", "ok"]
    other = sweep_here(*call, "grid.name=other", "dry_run=true")
    assert "already spent" not in other.stdout


def levels(**changes: Any) -> str:
    rule = {"kind": "levels", "along": "depth", "levels": [14, 26]} | changes
    text = ", ".join(f"{key}: {value}" for key, value in rule.items()).replace("'", "")
    return f"+grid.rules={{rules: {{a: {{{text}}}}}}}"


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
        ("plan.order=foo", "plan.order='foo': must be one of longest, frontier_first"),
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
