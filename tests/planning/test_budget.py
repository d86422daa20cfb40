"""Budgets: which part of a plan is paid for, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import Command
from helpers.made_up_times import rows_of
from scaling_study.cost.device_times import UnmeasuredError
from scaling_study.planning.budget import Budget, affordable


def test_a_budget_keeps_the_part_that_decides_most() -> None:
    rows = rows_of({"axes": {"depth": [14, 26], "epochs": [2, 20], "seed": [0, 1]}})
    budget = Budget(None, 0.6 * sum(row.cost.train_flops for row in rows), True)
    assert not budget.allows(rows, rows)

    def both_regimes(part: Any) -> tuple[float, ...]:
        return (len({row.run.train.epochs for row in part}),)

    part = affordable(rows, budget, both_regimes)
    assert budget.allows(part, rows)
    assert {row.run.train.epochs for row in part} == {2, 20}
    shallow = affordable(rows, budget, lambda part: (-max(r.run.model.depth for r in part),))
    assert {row.run.model.depth for row in shallow} == {14}
    assert affordable(rows, Budget(None, 1, True), both_regimes) == []
    paid = [replace(row, state="ok") for row in rows]
    assert Budget(None, 1, False).allows(paid, paid)
    with pytest.raises(UnmeasuredError, match=r"budget\.gpu_hours=1: nothing has been measured"):
        Budget(1, None, False).allows(rows, rows)


def test_over_budget_nothing_is_started(sweep_here: Command, tmp_path: Path) -> None:
    done = sweep_here("+grid=smoke", "budget.train_flops=2e9")
    assert done.returncode == 2
    assert "budget.train_flops=2e+09: the runs to do need" in done.stderr
    assert re.search(r"budget\.fit=true takes the [123] runs", done.stderr)
    assert "which decide" in done.stdout
    assert not (tmp_path / "results").exists()
    fit = sweep_here("+grid=smoke", "budget.train_flops=2e9", "budget.fit=true", "dry_run=true")
    assert fit.returncode == 0, fit.stderr
    bad = sweep_here("+grid=smoke", "budget.gpu_hours=-1")
    assert bad.returncode == 2
    assert "budget.gpu_hours=-1: must be a number above 0" in bad.stderr


def test_evaluations_while_training_are_paid_for() -> None:
    rows = rows_of({"axes": {"depth": [14]}})
    often = [
        replace(row, cost=replace(row.cost, curve_flops=row.cost.train_flops // 2)) for row in rows
    ]
    budget = Budget(None, 1.2 * sum(row.cost.train_flops for row in rows), False)
    assert budget.allows(rows, rows)
    assert not budget.allows(often, often)


def test_a_part_within_the_budget_has_the_runs_that_it_starts_from() -> None:
    axes = {"init": ["none", "run(long)"], "depth": [14, 26], "seed": [0, 1], "epochs": [1]}
    rows = rows_of({"parents": {"long": {"epochs": 20}}, "axes": axes})
    flops = {row.run.run_id: float(row.cost.train_flops or 0) for row in rows}
    children = [row for row in rows if row.run.init]
    budget = Budget(None, 0.5 * sum(flops.values()), True)
    part = affordable(rows, budget, lambda part: (sum(bool(row.run.init) for row in part),))
    ids = {row.run.run_id for row in part}
    assert 0 < sum(row in part for row in children) < len(children)
    assert all({*row.run.parents} <= ids for row in part)
    assert {row.run.run_id for row in part if row.stage} == {p for r in part for p in r.run.parents}
    assert sum(flops[run_id] for run_id in ids) <= 0.5 * sum(flops.values())
    # Parents that are trained already cost nothing.
    paid = [replace(row, state="ok") if row.stage else row for row in rows]
    cheap = Budget(None, sum(flops[row.run.run_id] for row in rows if not row.stage), True)
    assert len(affordable(paid, cheap, lambda part: (len(part),))) == len(rows)


def test_a_cell_that_another_starts_from_is_paid_for_with_it() -> None:
    points = [{"epochs": 2}, {"epochs": 3, "init": "run(short)"}]
    rows = rows_of(
        {"parents": {"short": {"epochs": 2}}, "points": points, "axes": {"seed": [0, 1]}}
    )
    assert not any(row.stage for row in rows)
    flops = sum(row.cost.train_flops or 0 for row in rows)
    budget = Budget(None, 0.7 * flops, True)
    part = affordable(rows, budget, lambda part: (sum(bool(r.run.init) for r in part),))
    assert [(row.run.seed, row.run.train.epochs) for row in part] == [(0, 2), (0, 3)]
