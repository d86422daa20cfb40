"""The plan of +grid=why_depth_wins: what it may cost, equal steps, one headline rule."""

import re
from pathlib import Path

import pytest

from analysis.rules.design_analysis import decidable
from analysis.rules.planned import planning_of
from analysis.rules.preregistration import load_rules
from analysis.study.compared_settings import with_comparison_settings
from helpers.packaged_plans import planned
from scaling_study.planning.plan_table import table

NAME, MOST_FLOPS = "why_depth_wins", 2e14
GRIDS = Path(__file__).resolve().parents[2] / "sweeps/grid"


@pytest.mark.slow
def test_it_costs_what_it_may_at_equal_steps() -> None:
    rows, _ = planned(NAME)
    flops = sum(row.cost.train_flops + row.columns["eval_flops"] for row in rows)
    assert flops <= MOST_FLOPS
    text = (GRIDS / f"{NAME}.yaml").read_text(encoding="utf-8")
    assert f"Cost: {len(rows)} runs, {flops:.2g} FLOPs of training and evaluation" in text
    lengths = {
        (
            row.cell.variant,
            row.columns["steps"],
            row.run.train.warmup_epochs * row.columns["n_train"],
        )
        for row in rows
    }
    supplies = {variant for variant, *_ in lengths}
    assert lengths == {(supply, steps, 640) for supply in supplies for steps in (80, 480)}
    assert len(supplies) == 3


@pytest.mark.slow
def test_the_page_says_what_it_decides() -> None:
    rows, grid = planned(NAME)
    prereg = load_rules(None, grid)
    own = [dict(row) for row in with_comparison_settings(table(rows, grid), grid)]
    found = {p.rule: p for p in decidable(own, prereg, planning_of(grid))}
    page = " ".join((GRIDS / "README.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"over-fitting from ([\d.]+) %, data-size from ([\d.]+) %, steps from ([\d.]+) %", page
    )
    assert said is not None
    for name, percent in zip(("over-fitting", "data-size", "steps"), said.groups(), strict=True):
        assert f"{100 * (found[name].mde80 or 0):.1f}" == percent
    headline = [rule.name for rule in prereg.rules if rule.headline and found[rule.name].testable]
    assert headline == ["over-fitting"]
