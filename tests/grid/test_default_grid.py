"""The studies that a laptop trains first: what they cost, and what their pilots say they decide."""

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.rules.design_analysis import decidable
from analysis.rules.planned import planned_cells, planning_of
from analysis.rules.preregistration import load_rules
from analysis.rules.simulate import chances
from analysis.study.compared_settings import with_comparison_settings
from helpers.commands import Command
from helpers.packaged_plans import planned
from scaling_study.planning.plan_table import table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "sweeps/grid/README.md").read_text(encoding="utf-8")
# FLOPs of training and evaluation together: eight minutes on two AVX2 cores, install included, and
# half an hour.
PILOTED = (
    *("depth_vs_width", "depth_vs_width_fashion", "depth_vs_width_icons"),
    *("slow_resolution", "slow_resolution_fashion", "slow_resolution_icons"),
)
BUDGETS = {"depth_vs_width": 4e12} | dict.fromkeys((*PILOTED[1:], "weight_decay", "pitfalls"), 4e13)
PILOT = re.compile(r"^\| (\d+) \| [^|]* \|.*\|$", re.MULTILINE)
# Seeds of the base, deep and wide cell after long and short training, epochs of the short one,
# images to score, FLOPs of the study, and how often it decides R1-long.
DESIGN = re.compile(
    r"^\| (\d), (\d), (\d) \| (\d), (\d), (\d) \| (\d+) \| ([\d,]+) \| ([\d.e]+) \| (\d+) % \|$",
    re.MULTILINE,
)
PILOT_IMAGES = 4000


def flops(name: str) -> float:
    """Training, then every run's evaluation on all evaluation and all training images."""
    rows, _ = planned(name)
    scored = [r.cost.flops * (r.columns["n_val"] + r.columns["n_train"]) for r in rows]
    return sum(r.cost.train_flops for r in rows) + sum(scored)


def said(pattern: str) -> re.Match[str]:
    found = re.search(pattern, " ".join(PAGE.split()))
    assert found is not None, pattern
    return found


Rows = list[dict[str, Any]]


def planned_rows(name: str) -> Rows:
    rows, grid = planned(name)
    return [dict(row) for row in with_comparison_settings(table(rows, grid), grid)]


def power(rows: Rows, effect: float, seed_sd: float) -> float:
    """Share of simulated studies that decide R1-long, at this effect and noise."""
    prereg, planning = load_rules(None, {}), planning_of(planned("depth_vs_width")[1])
    cells = planned_cells(rows, planning, prereg.base)
    (rule,) = (rule for rule in prereg.rules if rule.name == "R1-long")
    found = chances(cells, prereg, rule, max(cells.regimes), effect=effect, seed_sd=seed_sd)
    return found["supported"] + found["refuted"]


def networks(rows: Rows, epochs: int) -> Rows:
    """A row of each cell of a regime: base, deep, wide."""
    cells = {row["config_id"]: row for row in rows if row["epochs"] == epochs}
    return sorted(cells.values(), key=lambda row: (row["width"], row["depth"]))


def with_seeds(cells: Rows, seeds: Sequence[int]) -> Rows:
    return [row | {"seed": s} for row, n in zip(cells, seeds, strict=True) for s in range(n)]


@pytest.mark.parametrize("name", BUDGETS)
def test_training_and_evaluation_stay_in_their_budget(name: str) -> None:
    assert flops(name) <= BUDGETS[name]
    text = (ROOT / f"sweeps/grid/{name}.yaml").read_text(encoding="utf-8")
    rows, _ = planned(name)
    assert f"Cost: {len(rows)} runs, {flops(name):.2g} FLOPs of training and evaluation" in text


@pytest.mark.parametrize("name", BUDGETS)
def test_every_cpu_trains_the_same_study(name: str) -> None:
    assert {row.run.precision for row in planned(name)[0]} == {"fp32"}


@pytest.mark.parametrize("name", PILOTED)
def test_the_declared_noise_is_that_of_a_pilot_on_the_page(name: str) -> None:
    declared = planning_of(planned(name)[1])
    assert {*declared} == {row.run.train.epochs for row in planned(name)[0]}
    text = " ".join(PAGE.split())
    for epochs, (error, sd) in declared.items():
        assert sd is not None
        assert f"`{name}`, {epochs} epochs: {100 * error:.1f} % ± {100 * sd:.2f} pp" in text


def test_no_more_than_ten_pilots_were_made() -> None:
    pilots = PILOT.findall(PAGE)
    assert pilots == [str(n) for n in range(len(pilots))]
    assert 2 <= len(pilots) <= 10


def test_how_often_the_default_study_decides_its_first_question_is_as_said() -> None:
    found = said(r"shrunk estimate of R1-long, ([\d.]+) %, (\d+) % of simulated studies decide it")
    effect, share = float(found[1]) / 100, float(found[2])
    _, sd = planning_of(planned("depth_vs_width")[1])[16]
    assert sd is not None
    measured = 100 * power(planned_rows("depth_vs_width"), effect, sd)
    assert measured == pytest.approx(share, abs=1.5)
    assert measured >= 80


def test_designs_are_priced_as_the_page_says() -> None:
    rows = planned_rows("depth_vs_width")
    cells = networks(rows, 16)
    _, sd = planning_of(planned("depth_vs_width")[1])[16]
    assert sd is not None
    designs = DESIGN.findall(PAGE)
    assert len(designs) >= 5
    for *text, images, price, share in designs:
        *seeds, epochs = map(int, text)
        n = int(images.replace(",", ""))
        per_image = [
            (long * (3 * 640 * 16 + 640 + n) + short * (3 * 640 * epochs + 640 + n))
            for long, short in zip(seeds[:3], seeds[3:], strict=True)
        ]
        flops = sum(row["flops"] * k for row, k in zip(cells, per_image, strict=True))
        assert flops == pytest.approx(float(price), rel=0.02)
        noise = sd * math.sqrt(max(1.0, PILOT_IMAGES / n))
        found = 100 * power(with_seeds(cells, seeds[:3]), 0.0445, noise)
        assert found == pytest.approx(float(share), abs=1.5)


def test_what_slow_resolution_decides_is_as_the_page_says() -> None:
    grid = planned("slow_resolution")[1]
    found = decidable(planned_rows("slow_resolution"), load_rules(None, grid), planning_of(grid))
    least = {p.rule: 100 * p.mde80 for p in found if p.mde80}
    text = said(r"80 % of studies decide differences of ([\d.]+) % and ([\d.]+) %; 48 px")
    assert least["low-resolution"] == pytest.approx(float(text[1]), abs=0.05)
    assert least["growing"] == pytest.approx(float(text[2]), abs=0.05)
    # What the pilot saw, drawn towards none, would be decided.
    shrunk = said(r"around none, ([\d.]+) % and ([\d.]+) %\.")
    assert float(shrunk[1]) > float(text[1])
    assert float(shrunk[2]) > float(text[2])


@pytest.mark.parametrize(
    ("name", "rule", "pattern"),
    [
        ("weight_decay", "less-decay", r"decide an interaction of ([\d.]+) % of the error"),
        ("pitfalls", "length", r"studies decide interactions of ([\d.]+) % of the error"),
    ],
)
def test_what_a_grid_of_interactions_decides_is_as_the_page_says(
    name: str, rule: str, pattern: str
) -> None:
    grid = planned(name)[1]
    found = decidable(planned_rows(name), load_rules(None, grid), planning_of(grid))
    (least,) = (100 * p.mde80 for p in found if p.rule == rule and p.mde80)
    assert least == pytest.approx(float(said(pattern)[1]), abs=0.05)


def test_what_the_interaction_takes_is_as_the_page_says() -> None:
    grid = planned("depth_vs_width")[1]
    found = decidable(planned_rows("depth_vs_width"), load_rules(None, grid), planning_of(grid))
    (effect,) = (100 * p.mde80 for p in found if p.rule == "R1-interaction" and p.mde80)
    least = said(r"R1-interaction, 80 % of studies decide differences of ([\d.]+) %")
    assert effect == pytest.approx(float(least[1]), abs=0.05)


INLINE = [
    " ".join(text.split())
    for text in re.findall(r"`(python -m scaling_study\.sweep [^`]*)`", PAGE)
    if "NAME" not in text
]


@pytest.mark.slow
@pytest.mark.parametrize("line", INLINE)
def test_the_commands_of_pilots_can_be_planned(line: str, sweep_here: Command) -> None:
    assert len(INLINE) >= 3
    done = sweep_here(*shlex.split(line)[3:], "dry_run=true")
    assert done.returncode == 0, done.stderr
