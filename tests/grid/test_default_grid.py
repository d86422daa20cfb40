"""The studies that a laptop trains first: what they cost, and what their pilots say they decide."""

import re
from pathlib import Path

import pytest

from analysis.rules.planned import Planning, planned_cells, planning_of
from analysis.rules.preregistration import load_rules
from analysis.rules.simulate import chances
from analysis.study.compared_settings import with_comparison_settings
from helpers.packaged_plans import planned
from scaling_study.planning.plan_table import table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "sweeps/grid/README.md").read_text(encoding="utf-8")
# FLOPs of training and evaluation together: eight minutes on two AVX2 cores, install included, and
# half an hour.
BUDGETS = {"depth_vs_width": 4e12, "depth_vs_width_fashion": 4e13}
# Where the table of pilots has the sizes of effects.
ROW = re.compile(r"^\| (\d+) \| ([^|]*) \|(.*)\|$", re.MULTILINE)


def flops(name: str) -> float:
    """Training, then every run's evaluation on all evaluation and all training images."""
    rows, _ = planned(name)
    scored = [r.cost.flops * (r.columns["n_val"] + r.columns["n_train"]) for r in rows]
    return sum(r.cost.train_flops for r in rows) + sum(scored)


def said(pattern: str) -> re.Match[str]:
    found = re.search(pattern, " ".join(PAGE.split()))
    assert found is not None, pattern
    return found


def power(name: str, effect: float) -> float:
    """Share of simulated studies that decide R1-long, at this effect and the pilot's noise."""
    rows, grid = planned(name)
    prereg, planning = load_rules(None, grid), planning_of(grid)
    cells = planned_cells(with_comparison_settings(table(rows, grid), grid), planning, prereg.base)
    (rule,) = (rule for rule in prereg.rules if rule.name == "R1-long")
    epochs = max(planning)
    seeds = {cell.n for cell in cells}
    assert len(seeds) == 1
    found = chances(
        cells, prereg, rule, epochs, effect=effect, seed_sd=_sd(planning, epochs), seeds=seeds.pop()
    )
    return found["supported"] + found["refuted"]


def _sd(planning: Planning, epochs: int) -> float:
    sd = planning[epochs][1]
    assert sd is not None
    return sd


@pytest.mark.parametrize("name", BUDGETS)
def test_training_and_evaluation_stay_in_their_budget(name: str) -> None:
    assert flops(name) <= BUDGETS[name]
    text = (ROOT / f"sweeps/grid/{name}.yaml").read_text(encoding="utf-8")
    rows, _ = planned(name)
    assert f"Cost: {len(rows)} runs, {flops(name):.2g} FLOPs of training and evaluation" in text


@pytest.mark.parametrize("name", BUDGETS)
def test_every_cpu_trains_the_same_study(name: str) -> None:
    assert {row.run.precision for row in planned(name)[0]} == {"fp32"}


@pytest.mark.parametrize("name", BUDGETS)
def test_the_declared_noise_is_that_of_a_pilot_on_the_page(name: str) -> None:
    declared = planning_of(planned(name)[1])
    assert {*declared} <= {row.run.train.epochs for row in planned(name)[0]}
    text = " ".join(PAGE.split())
    for epochs, (error, sd) in declared.items():
        assert sd is not None
        assert f"`{name}`, {epochs} epochs: {100 * error:.1f} % ± {100 * sd:.2f} pp" in text


def test_no_more_than_ten_pilots_were_made() -> None:
    pilots = [number for number, *_ in ROW.findall(PAGE)]
    assert pilots == [str(n) for n in range(len(pilots))]
    assert 2 <= len(pilots) <= 10


def test_how_often_the_default_study_decides_its_first_question_is_as_said() -> None:
    found = said(r"shrunk estimate of R1-long, ([\d.]+) %, (\d+) % of simulated studies decide it")
    effect, share = float(found[1]) / 100, float(found[2])
    assert 100 * power("depth_vs_width", effect) == pytest.approx(share, abs=1.5)
