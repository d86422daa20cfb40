"""Seeds where the weights are: against brute force, Neyman's formula and simulated studies."""

import itertools
import math

import numpy as np
import pytest
from calibration.case import Case
from calibration.cases.tuned import TunedArms
from calibration.runner import run
from calibration.simulator import LONG, SHORT, study
from hypothesis import given
from hypothesis import strategies as st

from analysis.rules.allocation import Design
from analysis.rules.declared_allocation import Allocation, allocation_of
from analysis.rules.preregistration import load_rules
from analysis.rules.seed_weights import spread
from scaling_study.common.errors import InputError

PREREG = load_rules(None, {})
PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}


def candidates(seeds=10):
    """The default study's cells, with `seeds` candidates each."""
    rows = study(seeds=seeds).rows(np.random.default_rng(0))
    return [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in rows]


def design(unit, amount, rows=None, rules=()):
    return Design(
        candidates() if rows is None else rows,
        PREREG,
        PILOT,
        Allocation("fixed", unit, amount, rules),
    )


@given(
    gains=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=4),
    extra=st.integers(0, 6),
)
def test_no_other_seeds_of_equal_number_do_better(gains, extra):
    weights = dict(enumerate(map(float, gains)))
    start, most = dict.fromkeys(weights, 2), dict.fromkeys(weights, 6)
    *_, found = spread(start, most, dict.fromkeys(weights, 1.0), extra, weights)

    def variance(seeds):
        return sum(weights[key] / n for key, n in zip(weights, seeds, strict=True))

    total = min(2 * len(gains) + extra, 6 * len(gains))
    others = itertools.product(range(2, 7), repeat=len(gains))
    best = min(variance(seeds) for seeds in others if sum(seeds) == total)
    assert sum(found.values()) == total
    assert variance(found.values()) == pytest.approx(best)


def test_with_many_seeds_they_follow_neymans_formula():
    gains, costs = {"a": 4.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 4.0}
    *_, found = spread(dict.fromkeys(gains, 2), dict.fromkeys(gains, 10**6), costs, 4e4, gains)
    ideal = {key: math.sqrt(gains[key] / costs[key]) for key in gains}
    for key in "bc":
        assert found["a"] / found[key] == pytest.approx(ideal["a"] / ideal[key], rel=0.01)


def test_the_middle_cells_get_the_seeds_and_intervals_shrink_at_equal_runs():
    plan = design("runs", 15, [row for row in candidates() if row["epochs"] == 20], ("R1-long",))
    # One regime cannot test R1, so that nothing is compared.
    with pytest.raises(InputError, match="no rule that it is for can be tested"):
        plan.fixed()
    plan = design("runs", 30)
    seeds = plan.fixed()
    assert sum(seeds.values()) == 30
    for epochs in (4, 20):
        base, deep, deepest, wide, widest = (seeds[f"c{i}-r16-e{epochs}"] for i in range(5))
        assert base == deepest == widest == 2
        assert deep + wide == 9
    before, after = plan.half_widths(dict.fromkeys(seeds, 3)), plan.half_widths(seeds)
    assert all(after[rule] < 0.85 * before[rule] for rule in before)


@pytest.mark.slow
def test_in_simulated_studies_the_interval_is_a_sixth_narrower_at_equal_compute():
    widths = [
        run(Case("R1-long", "seeds", 0.005, study(long=0.005, seeds=n).rows), 150).width
        for n in (3, (2, 5, 2, 4, 2))
    ]
    assert widths[1] < 0.84 * widths[0]


def test_training_flops_buy_more_seeds_of_short_runs():
    flops = sum(row["train_flops"] for row in candidates(3))
    plan = design("train_flops", flops)
    seeds = plan.fixed()
    assert plan.spent(seeds) <= flops
    assert seeds["c1-r16-e4"] > seeds["c1-r16-e20"]
    assert sum(row["train_flops"] for row in plan.chosen(seeds)) == pytest.approx(plan.spent(seeds))


@pytest.mark.slow
def test_a_half_width_takes_as_little_as_it_needs():
    wide, narrow = design("half_width", 0.03), design("half_width", 0.025)
    for plan, target in ((wide, 0.03), (narrow, 0.025)):
        assert max(plan.half_widths(plan.fixed()).values()) <= target
        cheaper = design("train_flops", 0.97 * plan.spent(plan.fixed()))
        assert max(cheaper.half_widths(cheaper.fixed()).values()) > target
    assert narrow.spent(narrow.fixed()) > wide.spent(wide.fixed())


def test_the_first_seeds_of_each_cell_are_chosen():
    plan = design("runs", 30)
    seeds = plan.fixed()
    chosen = {(row["config_id"], row["seed"]) for row in plan.chosen(seeds)}
    assert chosen == {(key, seed) for key, n in seeds.items() for seed in range(n)}


def test_some_rules_alone_leave_other_cells_with_one_seed():
    seeds = design("runs", 40, rules=("R1-long",)).fixed()
    assert {n for key, n in seeds.items() if key.endswith("-e4")} == {1}


@pytest.mark.parametrize(
    ("unit", "amount", "said"),
    [
        ("runs", 19, "grid.allocation.runs=19: 2 seeds of each cell .* take 20"),
        ("train_flops", 1e3, "grid.allocation.train_flops=1000: 2 seeds"),
        ("half_width", 0.001, "half_width=0.001: all 100 runs of the grid reach 0.0"),
    ],
)
def test_what_cannot_be_had_is_said(unit, amount, said):
    with pytest.raises(InputError, match=said):
        design(unit, amount).fixed()


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (5, "grid.allocation=5: must be {kind: fixed"),
        ({}, "must be {kind: fixed"),
        ({"kind": "clever"}, "grid.allocation.kind='clever': must be"),
        ({"kind": "fixed"}, "must give one of runs, train_flops, half_width"),
        ({"kind": "fixed", "runs": 30, "half_width": 0.1}, "must give one of"),
        ({"kind": "fixed", "run": 30}, "grid.allocation.run: no such setting .did you mean runs"),
        ({"kind": "fixed", "runs": "many"}, "grid.allocation.runs='many': must be a number above"),
        ({"kind": "fixed", "runs": 0}, "must be a number above 0"),
        ({"kind": "fixed", "runs": 9, "rules": ["R1-lnog"]}, "did you mean R1-long"),
        ({"kind": "fixed", "runs": 9, "rules": 5}, "must be a list of rules"),
    ],
)
def test_a_wrong_declaration_names_the_value_and_what_is_accepted(declared, said):
    with pytest.raises(InputError, match=said):
        allocation_of({"allocation": declared}, PREREG)


TUNED = {name: {"tuned": "lr"} for name in ("R1-long", "R1-short", "R1-interaction")}


def tuned_design(amount, rules, names=("R1-long",), unit="runs"):
    """The default study's cells and the ends of its arms at two more rates, 4 candidates each."""
    rows = TunedArms((SHORT, LONG), seeds=4).rows(np.random.default_rng(0))
    rows = [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in rows]
    prereg = load_rules(None, {"rules": {"rules": rules}})
    return Design(rows, prereg, PILOT, Allocation("fixed", unit, amount, names))


@pytest.mark.slow
def test_cells_at_other_rates_have_the_seeds_of_their_own_cell_where_a_rule_is_tuned():
    plan = tuned_design(44, TUNED)
    seeds = plan.fixed()
    for own, *others in ((0, 5, 8), (2, 6, 9), (4, 7, 10)):
        for other in others:
            assert seeds[f"c{other}-r16-e20"] == seeds[f"c{own}-r16-e20"] >= 2
    assert sum(seeds.values()) == len(plan.chosen(seeds)) <= 44
    # The middle cells' seeds are a third as dear as those of the ends, and weigh more.
    assert seeds["c1-r16-e20"] > seeds["c0-r16-e20"]


def test_without_a_tuned_rule_they_have_one_seed_each():
    seeds = tuned_design(44, {}).fixed()
    assert {seeds[f"c{i}-r16-e20"] for i in range(5, 11)} == {1}
    assert seeds["c1-r16-e20"] > 2


@pytest.mark.slow
def test_the_least_that_a_tuned_rule_takes_counts_its_other_rates():
    # Two seeds of five cells and of six at other rates, one of eleven of short training.
    with pytest.raises(InputError, match="one of each other needed cell, take 33"):
        tuned_design(32, TUNED).fixed()
    assert sum(tuned_design(33, TUNED).fixed().values()) == 33
