"""A budget pays for the part of a plan that decides most."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.commands import Command
from helpers.packaged_plans import FIG3, NOWHERE, planned
from scaling_study.cost.time_model import Estimate
from scaling_study.planning.budget import Budget, affordable
from scaling_study.planning.plan import Planned
from scaling_study.sweep.decisions import Plan


def taken(name: str, limit: float) -> tuple[list[Planned], Plan, Budget]:
    rows, grid = planned(name)
    whole, budget = Plan(rows, NOWHERE, grid, {}), Budget(None, limit, True)
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
    whole = Plan(rows, NOWHERE, grid, {})
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


@pytest.mark.slow
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
