"""The plan of +grid=why_depth_wins: what it may cost, equal steps, one headline rule."""

import re
from pathlib import Path

import pytest

from analysis.rules.design_analysis import Power
from analysis.rules.rule import Preregistration
from helpers.packaged_plans import planned
from scaling_study.planning.plan import Planned
from scaling_study.sweep.decisions import Plan

NAME, MOST_FLOPS = "why_depth_wins", 2e14
GRIDS = Path(__file__).resolve().parents[2] / "sweeps/grid"
DECIDED = re.compile(
    r"over-fitting from ([\d.]+) %, data-size from ([\d.]+) %, steps from ([\d.]+) %"
)


@pytest.fixture(scope="module")
def chosen() -> tuple[list[Planned], list[Power], Preregistration]:
    """The runs that the grid's allocation takes, what they decide, and the rules."""
    rows, grid = planned(NAME)
    plan = Plan(rows, Path("none"), grid, {})
    design = plan.design()
    ids = {row["run_id"] for row in design.chosen(design.fixed())}
    taken = [row for row in rows if row.run.run_id in ids]
    return taken, plan.powers(taken), plan.prereg


@pytest.mark.slow
def test_it_costs_what_it_may_at_equal_steps(
    chosen: tuple[list[Planned], list[Power], Preregistration],
) -> None:
    rows, *_ = chosen
    flops = sum(row.cost.train_flops + row.columns["eval_flops"] for row in rows)
    assert flops <= MOST_FLOPS
    text = (GRIDS / f"{NAME}.yaml").read_text(encoding="utf-8")
    assert f"Cost: {len(rows)} runs, {flops:.2g} FLOPs of training and evaluation" in text
    lengths = set()
    for row in rows:
        warm = row.run.train.warmup_epochs * row.columns["n_train"]
        lengths.add((row.cell.variant, row.cost.steps, warm))
    supplies = {variant for variant, *_ in lengths}
    assert lengths == {(supply, steps, 640) for supply in supplies for steps in (80, 480)}
    assert len(supplies) == 3


@pytest.mark.slow
def test_the_page_says_what_it_decides(
    chosen: tuple[list[Planned], list[Power], Preregistration],
) -> None:
    _, powers, prereg = chosen
    found = {power.rule: power for power in powers}
    page = " ".join((GRIDS / "README.md").read_text(encoding="utf-8").split())
    said = DECIDED.search(page)
    assert said is not None
    for name, percent in zip(("over-fitting", "data-size", "steps"), said.groups(), strict=True):
        assert f"{100 * (found[name].mde80 or 0):.1f}" == percent
    headline = [rule.name for rule in prereg.rules if rule.headline and found[rule.name].testable]
    assert headline == ["over-fitting"]
