"""Whether a configuration has its published error: by hand, and how often it is wrong."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.rules.design_analysis import decidable
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Estimate, Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.wording import line, sentence
from analysis.stats.contrast import Estimand
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from helpers.packaged_plans import NOWHERE, planned
from scaling_study.common.errors import InputError
from scaling_study.sweep.decisions import Plan

RULE = {"kind": "published", "published": 0.0472, "runs": 5, "margin": 0.1}
SEEDS, SD = 5, 0.002


def prereg(**changes: Any) -> Any:
    return load_rules(None, {"rules": {"cost": "flops", "rules": {"same": RULE | changes}}})


def rows(errors: Any, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"config_id": "a", "run_id": f"a{s}", "seed": s, "depth": 18, "width": 1.0, "epochs": 200,
         "resolution": 32, "flops": 1e9, "n_val": 10_000, "val_error": float(e), "status": "ok"}
        | changes
        for s, e in enumerate(errors)
    ]  # fmt: skip


def judged(found: list[dict[str, Any]], **changes: Any) -> tuple[Estimate, Judgement]:
    rules = prereg(**changes)
    (rule,) = (r for r in rules.rules if r.name == "same")
    study = Evidence(StudyCells.of(found), rules)
    one = find_kind(rule.kind).estimate(study, rule, Estimand("flops"))
    return one, Judgement(rule, one.verdict, 200, one.gap, one.notes)


def test_the_effect_and_its_interval_are_those_by_hand() -> None:
    errors = np.array([0.048, 0.047, 0.0485, 0.046, 0.0475])
    found, j = judged(rows(errors))
    assert found.gap is not None
    # One cell: its own variance; the published mean of five runs is as uncertain as this one.
    se = math.sqrt(np.var(errors, ddof=1) * (1 / 5 + 1 / 5)) / errors.mean()
    half = float(stats.t.ppf(0.975, 4)) * se
    assert found.gap.estimate == pytest.approx(math.log(0.0472 / errors.mean()))
    assert found.gap.high - found.gap.estimate == pytest.approx(half)
    assert found.verdict.value == "supported"
    assert sentence(j).startswith(
        "The error lies 0.4 % ± 3.6 % of the error above the published 4.7"
    )
    assert "so within 10 % of it" in sentence(j)
    assert "published minus ours" in line(j, prereg())
    assert found.notes[0].startswith("published 4.72 %, the mean of 5 runs")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, "supported"), (0.012, "refuted"), (-0.012, "refuted")]
)
def test_an_error_that_is_another_is_told_either_way(shift: float, verdict: str) -> None:
    errors = 0.0472 + shift + np.array([-0.001, 0.001, 0, -0.0005, 0.0005])
    assert judged(rows(errors))[0].verdict.value == verdict
    open_, j = judged(rows(errors), margin=0.005)
    assert open_.verdict.value == ("inconclusive" if shift == 0 else "refuted")
    if shift == 0:
        assert open_.verdict.seeds_needed is not None
        assert "whether within 0.5 % of it cannot be told" in sentence(j)


def test_it_is_wrong_as_seldom_as_declared() -> None:
    """A true error at the margin is called the same in 2.5 % of studies, and another in 2.5 %."""
    rng, draws, margin, rules = np.random.default_rng(7), 600, 0.1, prereg()
    (rule,) = (r for r in rules.rules if r.name == "same")
    published = 0.0472 + SD / math.sqrt(5) * rng.standard_normal(draws)
    true, wrong = 0.0472 * math.exp(margin), {"supported": 0, "refuted": 0, "inconclusive": 0}
    for value in published:
        own = rule.options._replace(outcome=float(value))
        found = rows(true + SD * rng.standard_normal(SEEDS))
        study = Evidence(StudyCells.of(found), rules)
        effect = find_kind(rule.kind).estimate(study, replace(rule, options=own), Estimand("flops"))
        wrong[effect.verdict.value] += 1
    for verdict in ("supported", "refuted"):
        assert stats.binomtest(wrong[verdict], draws, 0.025, "greater").pvalue > 0.005, wrong


def test_the_shipped_grids_can_test_it_and_train_the_published_network() -> None:
    for name, runs, error in (
        ("paper/published_resnet_rs_50", 1, 0.212), ("cifar10_published", 5, 0.0472),
    ):  # fmt: skip
        plan, grid = planned(name)
        found = {p.rule: p for p in Plan(plan, NOWHERE, grid, {}).powers(plan)}
        assert found["published"].testable
        (rule,) = (r for r in load_rules(None, grid).rules if r.name == "published")
        assert (rule.options.outcome, rule.options.runs) == (error, runs)
    # 11,173,962 weights: the ResNet-18 of the released code.
    assert {row.columns["params"] for row in plan} == {11_173_962}


def test_several_configurations_cannot_be_the_published_one() -> None:
    two = rows([0.05] * 5) + rows([0.04] * 5, config_id="b", depth=34)
    with pytest.raises(PreconditionError, match="2 configurations could be the published one"):
        judged(two)
    assert judged(rows(0.047 + 0.001 * np.arange(5)) + two[5:], at={"depth": 18})[0].gap is not None
    planned_rows = [{k: v for k, v in r.items() if k != "val_error"} for r in rows([0.05] * 5)]
    power = {p.rule: p for p in decidable(planned_rows, prereg(), {200: (0.05, SD)})}["same"]
    assert power.se == pytest.approx(SD * math.sqrt(2 / 5) / 0.05)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"published": None}, r"same\.published: None must be the published error"),
        ({"published": -1}, r"same\.published: -1 must be the published error"),
        ({"runs": 0}, r"same\.runs: 0 must be the number of runs"),
        ({"sign": -1}, r"same: 'sign'; known"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        prereg(**change)
