"""Rules that are `tuned: lr`: judged at best learning rates, and what is said of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.descriptions.multiverse import multiverse
from analysis.report.side_by_side import side
from analysis.rules import tuning_words
from analysis.rules.design_analysis import decidable, describe, sufficient_cells
from analysis.rules.kind import Judgement
from analysis.rules.planned import planning_of
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import lines, sentence
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.table import table_of
from helpers.judged import judged
from helpers.planned_study import finish, finished, planned
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe as columns_of
from scaling_study.planning.plan_table import table
from scaling_study.study.table import read_study

RATE = TINY["train"]["lr_per_256"]
SHAPES = ((14, 0.25), (26, 0.25), (38, 0.25), (14, 0.375), (14, 0.5))
RULES = {name: {"tuned": "lr", "cost": "flops"} for name in ("R1-long", "R1-interaction")}
Error = Callable[[RunConfig], float]


def grid(**more: Any) -> dict[str, Any]:
    return {
        "name": "tuned",
        "points": [{"depth": d, "width": w} for d, w in SHAPES],
        "axes": {"epochs": [4, 20], "seed": [0, 1, 2]},
        "tuned": {"regime": "every"},
        "rules": {"rules": RULES},
        **more,
    }


def errors(gap: float = 0.1, best: float = 0.0, k: float = 0.08, sd: float = 0.003) -> Error:
    """Errors whose arms differ by about `gap` at the dear end, at their best learning rates.

    The best rate of a wide network is exp(`best`) times the recipe's at the end of the arm, that of
    the others is the recipe's; another rate costs `k` ln(rate / best)^2 of the error.
    """
    rng = np.random.default_rng(11)

    def error(run: RunConfig) -> float:
        x = math.log(columns_of(run)["flops"] / 3.8e6)
        wide = run.model.width > 0.25
        end = 1.36
        side = gap * x / end * (1 if wide else 0)
        off = math.log(run.train.lr_per_256 / RATE) - (best * x / end if wide else 0.0)
        level = 0.5 if run.train.epochs == 4 else 0.3
        return level * math.exp(-0.2 * x + side + k * off**2) * (1 + sd * rng.standard_normal())

    return error


def study(execution: ExecutionConfig, error: Error, **more: Any) -> Path:
    return finished(execution, grid(**more), error)


def said(judgement: Judgement) -> str:
    return sentence(judgement)


@pytest.mark.slow
def test_the_same_decision_at_both_rates_is_robust(execution: ExecutionConfig) -> None:
    found = judged(study(execution, errors(gap=0.2)))["R1-long"]
    assert found.verdict.value == "supported"
    assert found.tuning is not None
    assert found.gap == found.tuning.best
    assert ". Robust to tuning: this is with each arm at its own best learning rate" in said(found)
    assert tuning_words.record(found.tuning, found.rule)["robust"]


def test_a_gap_that_the_recipes_rate_makes_is_not_supported(execution: ExecutionConfig) -> None:
    folder = study(execution, errors(gap=0.0, best=-0.6, k=0.3))
    found = judged(folder)["R1-long"]
    assert found.tuning is not None
    assert tuning_words.at(found.tuning.recipe, found.rule) == "supported"
    assert found.verdict.value != "supported"
    assert "Not robust to tuning" in said(found)
    assert "The recipe's learning rate favours depth by " in said(found)
    assert found.tuning.favour.low > 0.01
    wide = found.tuning.ends[-1]
    assert wide.name == "the end of the width arm"
    assert wide.low < math.exp(-0.6) < wide.high


def test_the_rate_that_favours_width_is_said_too(execution: ExecutionConfig) -> None:
    """Arms named the other way round, so that the first one is the one with the worse rate."""
    rules = {"R1-long": {"tuned": "lr", "cost": "flops", "arms": ["width", "depth"]}}
    folder = study(execution, errors(gap=0.0, best=-0.6, k=0.3), rules={"rules": rules})
    found = judged(folder)["R1-long"]
    assert found.tuning is not None
    assert found.tuning.favour.high < -0.01
    assert "The recipe's learning rate favours depth by " in said(found)


@pytest.mark.slow
def test_an_optimum_outside_the_rates_decides_nothing(execution: ExecutionConfig) -> None:
    folder = study(execution, errors(gap=0.2, best=-1.2, k=0.1))
    found = judged(folder)["R1-long"]
    assert found.verdict.value == "inconclusive"
    assert found.verdict.reason == (
        "the best learning rate of the end of the width arm lies outside those tried, 0.5 to 2 "
        "times the recipe's"
    )
    assert "Tuning decides nothing: the best learning rate of the end of the width" in said(found)
    assert found.verdict.p_supported is None
    both = judged(folder)["R1-interaction"]
    assert "the end of the width arm at 4 epochs and of the end of the width arm at 20 epochs" in (
        both.verdict.reason
    )


@pytest.mark.slow
def test_other_analyses_and_the_comparison_of_studies_are_tuned_too(
    execution: ExecutionConfig,
) -> None:
    compared = side(study(execution, errors()))
    assert compared.judgements["R1-long"].tuning is not None
    known = compared.table, compared.cells, compared.rules, [*compared.judgements.values()]
    made = multiverse(*known)["R1-long"].made
    assert {"replicate", "cell"} <= {analysis.dimension for analysis in made}


def test_a_difference_of_regimes_is_tuned_in_both(execution: ExecutionConfig) -> None:
    found = judged(study(execution, errors(gap=0.1)))["R1-interaction"]
    assert found.tuning is not None
    assert [end.epochs for end in found.tuning.ends] == [4] * 3 + [20] * 3
    assert found.gap is not None
    assert abs(found.gap.estimate) < 0.02
    assert "more in long than in short training" in said(found)


def test_other_rates_leave_untuned_rules_as_they_are(execution: ExecutionConfig) -> None:
    """They enter neither cells nor noise, nor what is excluded."""
    plain = grid(name="plain", rules={"rules": {"R1-long": {"cost": "flops"}}})
    del plain["tuned"]
    without = judged(finished(execution, plain, errors()))
    rules = {"rules": {"R1-long": {"cost": "flops"}}}
    folder, rows = planned(execution, grid(name="with", rules=rules))
    for row in rows:
        if row.cell.lr_factor != 1:
            finish(folder, row.run, 0.9)
    found = judged(folder)
    for name in ("R1-long", "R1-short", "R4", "R3-harm"):
        assert found[name].gap == without[name].gap
        assert found[name].verdict == without[name].verdict
    analysed = table_of(read_study(folder), {})
    assert (len(analysed.rows), len(analysed.excluded)) == (30, 0)
    assert len(analysed.diverged) + len(analysed.tuning) == 36
    assert len(analysed.states()) == len(analysed.analysed) == 66


def test_an_end_that_diverged_at_a_rate_is_named(execution: ExecutionConfig) -> None:
    folder, rows = planned(execution, grid())
    error = errors()
    for row in rows:
        lost = row.cell.lr_factor == 2 and row.run.model.width == 0.5
        finish(folder, row.run, 0.99 if lost else error(row.run))
    found = judged(folder)["R1-long"]
    assert found.verdict.value == "not_testable"
    assert "the end of the width arm was not trained at a lower and a higher" in (
        found.verdict.reason
    )


@pytest.mark.slow
def test_the_report_the_console_and_the_record_say_it(
    execution: ExecutionConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = study(execution, errors(gap=0.2)), tmp_path / "out"
    assert main([str(folder), "-o", str(out), "--formats", "none", "--details"]) == 0
    shown = capsys.readouterr().out
    assert "at the recipe's learning rate supported  +" in shown
    assert "; robust to tuning (it favours depth by " in shown
    page = (out / "report.html").read_text()
    assert "Robust to tuning: this is with each arm at its own best learning rate" in page
    assert "best learning rate of the end of the width arm at 20 epochs: " in page
    assert page.count("Learning rate 0.5 times its cell's own.") == 18
    verdicts = json.loads((out / "verdicts.json").read_text())["verdicts"]
    assert "tuning" not in verdicts["R1-short"]
    known = verdicts["R1-long"]["tuning"]
    assert known["recipe"]["verdict"] == "supported"
    assert known["robust"]
    assert known["outside"] == ""
    assert [end["name"] for end in known["ends"]] == [
        "the base",
        "the end of the depth arm",
        "the end of the width arm",
    ]
    assert all(end["best_low"] <= end["best_factor"] <= end["best_high"] for end in known["ends"])
    assert "EXPLORATORY" not in shown.split("R1-short")[0].split("R1-long")[1]


def test_a_transfer_rule_does_not_keep_arms_from_being_compared(
    execution: ExecutionConfig,
) -> None:
    tuned = {"regime": "every", "transfer": "depth^-3/2"}

    def error(run: RunConfig) -> float:
        own = RATE * (run.model.depth / 14) ** -1.5
        return exact(run) * math.exp(0.1 * (math.log(run.train.lr_per_256 / own)) ** 2)

    exact = errors(gap=0.2, k=0.0)
    found = judged(study(execution, error, tuned=tuned))["R1-long"]
    assert found.verdict.value == "supported"
    assert found.tuning is not None
    deep = found.tuning.ends[1]
    assert deep.name == "the end of the depth arm"
    # The same parabola says that the rule was right: the best rate is its own.
    assert deep.factor == pytest.approx(1, abs=0.02)
    size = TINY["train"]["batch_size"] / 256
    assert deep.rate == pytest.approx(RATE * size * (38 / 14) ** -1.5, rel=1e-3)


def plan_of(execution: ExecutionConfig, **more: Any) -> tuple[list[dict[str, Any]], Any, Any]:
    pilot = {epochs: {"error": 0.3, "seed_sd": 0.04} for epochs in (4, 20)}
    made = grid(planning=pilot, **more)
    _, rows = planned(execution, made)
    known = with_comparison_settings(table(rows, made), made)
    return known, load_rules(None, made), planning_of(made)


def test_a_plan_without_other_rates_cannot_test_the_rule(execution: ExecutionConfig) -> None:
    powers = decidable(*plan_of(execution, tuned=None))
    found = "\n".join(describe(powers))
    assert "the base was not trained at a lower and a higher learning rate" in found
    assert "grid.tuned adds such runs" in found


@pytest.mark.slow
def test_a_plan_forecasts_the_wider_interval(execution: ExecutionConfig) -> None:
    rows, rules, planning = plan_of(execution)
    tuned = {p.rule: p for p in decidable(rows, rules, planning)}["R1-long"]
    plain = load_rules(None, grid(rules={"rules": {"R1-long": {"cost": "flops"}}}))
    untuned = {p.rule: p for p in decidable(rows, plain, planning)}["R1-long"]
    assert tuned.testable
    assert untuned.se * 1.02 < tuned.se < untuned.se * 1.5


def test_a_budget_keeps_the_other_rates_of_a_tuned_rule(execution: ExecutionConfig) -> None:
    rows, rules, planning = plan_of(execution)
    names = [rule.name for rule in rules.rules]
    needs = sufficient_cells(rows, rules, planning)[names.index("R1-long")]
    every = {row["config_id"] for row in rows}
    assert needs == [every]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"tuned": "lrs"}, "rules.rules.R1-long.tuned: 'lrs' .did you mean lr"),
        ({"tuned": "lr", "arms": ["lr", "width"]}, "compares arms of the learning rate"),
    ],
)
def test_what_makes_no_sense_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_rules(None, {"rules": {"rules": {"R1-long": rule}}})


def test_only_kinds_that_compare_arms_at_equal_cost_may_be_tuned() -> None:
    said = "rules.rules.R4.tuned: rules of kind regret are about the recipe's learning rates; of"
    with pytest.raises(InputError, match=said):
        load_rules(None, {"rules": {"rules": {"R4": {"tuned": "lr"}}}})


def test_the_console_has_a_line_below_the_verdict(execution: ExecutionConfig) -> None:
    folder = study(execution, errors(gap=0.2, best=-1.2, k=0.1))
    rules = load_rules(folder, read_study(folder).grid)
    shown = lines([*judged(folder).values()], rules)
    at = next(n for n, text in enumerate(shown) if text.startswith("R1-long"))
    assert shown[at + 1].strip().startswith("at the recipe's learning rate ")
    assert shown[at + 1].endswith("; a best rate lies outside those tried")
