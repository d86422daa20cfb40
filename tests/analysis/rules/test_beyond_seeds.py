"""Rules that no number of seeds decides: an adaptive study buys none for them, and says why."""

import numpy as np
import pytest
from calibration.adaptive import Adaptive, verdicts
from calibration.cases.tuned import tuned_arms, tuned_rules
from calibration.simulator import study

from analysis.rules.design_analysis import decidable
from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.rules.rounds import beyond_seeds, first_round, next_round
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}
# Step times of two arms that are planned with cells of 2.5 and 2.3 times the base's FLOPs.
WIDE, NARROW = (1.0, 1.6, 2.5), (1.0, 1.3, 1.4)


def drawn(seeds, times=WIDE, known=True):
    """Runs of the default cells, whose depth arm takes these `times` of the base's step time."""
    rows = study(seeds=seeds).rows(np.random.default_rng(9))
    took = {f"c{place}": time for place, time in enumerate(times)}
    for row in rows:
        row["train_flops"] = row["flops"] * 3840 * row["epochs"]
        seconds = 0.01 * took.get(row["config_id"].split("-")[0], row["flops"] / 1e7)
        row["step_time_s"] = seconds if known else None
    return rows


def adaptive(prereg, rules, candidates=None):
    """A study that may spend what four seeds of every cell cost; its plan knows no step times."""
    rows = candidates or drawn(12, known=False)
    budget = sum(row["train_flops"] for row in rows if row["seed"] < 4)
    return Adaptive(rows, prereg, PILOT, budget, rules).design


def seen(design, seeds, prereg, rows):
    chosen = {row["run_id"] for row in design.chosen(seeds)}
    cells = StudyCells.of([row for row in rows if row["run_id"] in chosen], prereg.base)
    return Evidence(cells, prereg)


def after_one_round(prereg, rules, rows):
    design = adaptive(prereg, rules)
    seeds = first_round(design).seeds
    found = seen(design, seeds, prereg, rows)
    now = verdicts(found, rules)
    return beyond_seeds(design, found, now, seeds), next_round(design, found, now, seeds, [0.4])


def test_arms_that_share_too_little_range_of_measured_time_buy_nothing_more():
    beyond, following = after_one_round(load_rules(None, {}), ("R1-long",), drawn(12, NARROW))
    assert beyond == {
        "R1-long": "at resolution 16 px the arms share 1.40x range of step_time_s; 1.5x is needed"
    }
    assert following is None


def test_the_other_rules_of_such_a_study_go_on():
    rules = {"rules": {"R1-long": {"cost": "flops"}}}
    prereg = load_rules(None, {"rules": rules})
    beyond, following = after_one_round(prereg, ("R1-long", "R1-short"), drawn(12, NARROW))
    assert [*beyond] == ["R1-short"]
    # R1-short alone compares the cells of short training.
    assert all(n == 2 for key, n in following.seeds.items() if key.endswith("-e4"))


def test_regret_needs_any_common_range_and_goes_on_over_a_narrow_one():
    beyond, following = after_one_round(load_rules(None, {}), ("R4",), drawn(12, NARROW))
    assert beyond == {}
    assert following is not None


def test_runs_that_measured_no_step_time_are_not_followed_by_more():
    beyond, following = after_one_round(load_rules(None, {}), ("R1-long",), drawn(12, known=False))
    assert "with their cost" in beyond["R1-long"]
    assert following is None


def test_a_step_time_is_that_of_the_network_in_any_regime():
    rows = [row for row in drawn(12, NARROW) if row["config_id"] not in ("c1-r16-e20", "c2-r16-e4")]
    beyond, _ = after_one_round(load_rules(None, {}), ("R1-long",), rows)
    assert "share 1.40x range" in beyond["R1-long"]


def test_a_cell_without_results_gets_more_seeds():
    rows = [row for row in drawn(12) if not row["config_id"].startswith(("c1", "c2"))]
    beyond, following = after_one_round(load_rules(None, {}), ("R1-long",), rows)
    assert beyond == {}
    assert following.seeds["c1-r16-e20"] > 2


@pytest.mark.slow
def test_a_best_learning_rate_outside_those_tried_is_not_found_by_more_seeds():
    rules, name = tuned_rules("R1-long"), ("R1-long",)
    made = tuned_arms("the best rate of width lies outside those tried", 12)
    rows = made.rows(np.random.default_rng(3))
    rows = [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in rows]
    prereg = load_rules(None, {"rules": rules})
    design = adaptive(prereg, name, rows)
    seeds = dict.fromkeys(design.most, 4)
    found = seen(design, seeds, prereg, rows)
    now = verdicts(found, name)
    assert "lies outside those tried" in beyond_seeds(design, found, now, seeds)["R1-long"]
    assert next_round(design, found, now, seeds, [0.4]) is None


def forecast(times):
    """A plan that forecasts these step times."""
    rows = drawn(12, times)
    return [row | {"forecast_step_time_s": row["step_time_s"], "step_time_s": None} for row in rows]


def test_the_plan_says_which_rules_forecast_step_times_keep_from_a_test():
    rules = load_rules(None, {})
    reasons = {p.rule: p.reason for p in decidable(forecast(NARROW), rules, PILOT)}
    why = (
        "with forecast step times, at resolution 16 px the arms share 1.40x range of step_time_s; "
    )
    assert reasons["R1-long"] == reasons["R1-interaction"] == f"{why}1.5x is needed"
    assert reasons["R4"] == ""
    fine = {p.rule: p.reason for p in decidable(forecast(WIDE), rules, PILOT)}
    assert fine["R1-long"] == fine["R4"] == ""


def test_an_adaptive_study_that_nothing_could_decide_is_not_begun():
    prereg = load_rules(None, {})
    with pytest.raises(InputError, match=r"no seeds would decide .* the arms share 1.40x range"):
        first_round(adaptive(prereg, ("R1-long",), forecast(NARROW)))
    assert first_round(adaptive(prereg, ("R1-long", "R4"), forecast(NARROW)))
    assert first_round(adaptive(prereg, ("R1-long",), forecast(WIDE)))


def test_the_first_round_is_one_that_can_test_its_rules():
    rows = [r for r in drawn(12, known=False) if r["config_id"].startswith(("c0", "c2", "c4"))]
    design = adaptive(load_rules(None, {}), ("R1-long",), rows)
    seeds = first_round(design).seeds
    # Two seeds of three cells have three degrees of freedom, and four are needed.
    assert sorted(n for key, n in seeds.items() if key.endswith("-e20")) == [2, 2, 3]
