"""Adaptive studies: what a round asks for, when it stops, and how often that is wrong."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from calibration.adaptive import Adaptive, verdicts
from calibration.cases.tuned import FAVOURED, tuned_arms, tuned_rules
from calibration.runner import MOST_WRONG, lower
from calibration.simulator import study

from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.rules.rounds import first_round, next_round
from analysis.stats.decision import Verdict
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

PREREG = load_rules(None, {})
PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}
RULES = ("R1-long", "R1-interaction")


def drawn(number=0, seeds=12, **settings):
    """The default study's candidates with their outcomes, `seeds` of each cell."""
    rows = study(seeds=seeds, **settings).rows(np.random.default_rng([9, number]))
    return [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in rows]


def adaptive(times=4.0, rules=RULES, rounds=4):
    """An adaptive study that may spend so many times the whole grid with one seed each."""
    once = sum(row["train_flops"] for row in drawn(seeds=1))
    return Adaptive(drawn(), PREREG, PILOT, times * once, rules, rounds)


def measured(found, seeds, **settings):
    chosen = {row["run_id"] for row in found.design.chosen(seeds)}
    rows = [row for row in drawn(**settings) if row["run_id"] in chosen]
    return Evidence(StudyCells.of(rows), PREREG)


def test_the_first_round_has_two_seeds_of_each_cell_that_is_compared():
    first = first_round(adaptive().design)
    assert set(first.seeds.values()) == {2}
    assert 0 < first.share < 1
    # R1-long compares the cells of long training; short training only has to be there.
    long_only = first_round(adaptive(rules=("R1-long",)).design)
    assert {key: n for key, n in long_only.seeds.items() if key.endswith("-e4")}.items() == {
        (f"c{i}-r16-e4", 1) for i in range(5)
    }


def test_cells_that_no_rule_needs_are_left_out():
    rows = drawn()
    square = [
        row | {"config_id": f"off-{row['epochs']}", "run_id": f"off-{row['run_id']}"}
        | {"depth": 26.0, "width": 0.5}
        for row in rows
        if row["config_id"].startswith("c4-")
    ]  # fmt: skip
    found = Adaptive([*rows, *square], PREREG, PILOT, 1e14, RULES)
    assert first_round(found.design).seeds["off-20"] == 0


def test_later_rounds_spend_equal_parts_where_the_weights_are():
    found = adaptive(times=6.0)
    first = first_round(found.design)
    undecided = dict.fromkeys(RULES, Verdict("inconclusive", ""))
    second = next_round(
        found.design, measured(found, first.seeds), undecided, first.seeds, [first.share]
    )
    spent = found.design.spent(second.seeds) - found.design.spent(first.seeds)
    left = found.train_flops - found.design.spent(first.seeds)
    dearest = max(found.design.costs.values())
    assert left / 3 - dearest < spent <= left / 3
    more = {key for key, n in second.seeds.items() if n > first.seeds[key]}
    assert {"c1-r16-e20", "c3-r16-e20"} <= more
    assert second.seeds.items() >= {(key, 2) for key in ("c2-r16-e20", "c4-r16-e20")}
    assert first.share < second.share < 1


def test_it_stops_when_all_rules_are_decided_and_goes_on_while_one_is_not():
    found = adaptive()
    seeds = first_round(found.design).seeds
    seen = measured(found, seeds)
    supported = dict.fromkeys(RULES, Verdict("supported", ""))
    assert next_round(found.design, seen, supported, seeds, [0.4]) is None
    one_open = supported | {"R1-long": Verdict("inconclusive", "")}
    following = next_round(found.design, seen, one_open, seeds, [0.4])
    # Only the undecided rule's cells gain: those of long training.
    assert all(n == 2 for key, n in following.seeds.items() if key.endswith("-e4"))


def test_it_stops_after_the_last_round_and_when_nothing_more_can_be_paid_for():
    found = adaptive(rounds=2)
    seeds = first_round(found.design).seeds
    undecided = dict.fromkeys(RULES, Verdict("inconclusive", ""))
    last = next_round(found.design, measured(found, seeds), undecided, seeds, [0.4])
    assert last.share == 1
    assert (
        next_round(found.design, measured(found, seeds), undecided, last.seeds, [0.4, 1.0]) is None
    )
    poor = adaptive(times=2.01, rounds=4)
    assert next_round(poor.design, measured(poor, seeds), undecided, seeds, [0.4]) is None
    everything = poor.design.most
    assert next_round(poor.design, measured(poor, everything), undecided, everything, [0.4]) is None


def test_a_rule_that_results_cannot_test_yet_gets_seeds_as_planned():
    found = adaptive()
    seeds = first_round(found.design).seeds
    seen = measured(found, dict.fromkeys(seeds, 1))  # as if the second seed of all had diverged
    untested = dict.fromkeys(RULES, Verdict("not_testable", "one seed per cell"))
    assert next_round(found.design, seen, untested, seeds, [0.4]) is not None


def test_a_budget_below_the_first_round_says_what_it_takes():
    with pytest.raises(InputError, match=r"grid.allocation.budget.train_flops=.*: 2 seeds of each"):
        first_round(adaptive(times=1.0).design)


@pytest.mark.slow
def test_shares_rise_whatever_becomes_known_of_the_noise():
    found = adaptive(times=6.0, rounds=6)
    for number in range(30):
        look = found.study(drawn(number, factors=(1, 5, 1, 1, 5)))[1].look.look
        shares = (*look.earlier, look.share)
        assert all(0 < a < b <= 1 for a, b in pairwise(shares))


def test_a_clear_effect_takes_fewer_rounds_than_none():
    def spent(gap):
        found = adaptive(rules=("R1-long",))
        rows = (found.study(drawn(k, long=gap))[0] for k in range(12))
        return np.mean([sum(row["train_flops"] for row in part) for part in rows])

    assert spent(0.12) < 0.75 * spent(0.005)


@pytest.mark.slow
def test_all_rounds_together_keep_the_level():
    studies, found, counts = 200, adaptive(times=3.0), Counter()
    for number in range(studies):
        rows, prereg = found.study(drawn(number, long=0.005))
        study = Evidence(StudyCells.of(rows), prereg)
        counts.update((name, v.value) for name, v in verdicts(study, RULES).items())
    for rule in RULES:
        for side in ("supported", "refuted"):
            assert lower(counts[rule, side], studies, 0.99) <= MOST_WRONG - 0.005, counts


def tuned_study():
    """An adaptive study of a tuned rule that may spend four seeds of all cells, and its draws."""
    made, prereg = tuned_arms(FAVOURED, 12), load_rules(None, {"rules": tuned_rules("R1-long")})

    def draw(number):
        rows = made.rows(np.random.default_rng([11, number]))
        return [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in rows]

    once = sum(row["train_flops"] for row in draw(0) if row["seed"] == 0)
    return Adaptive(draw(0), prereg, PILOT, 4 * once, ("R1-long",)), draw


@pytest.mark.slow
def test_rounds_of_a_tuned_rule_train_other_rates_as_often_as_the_own_one():
    found, draw = tuned_study()
    rows, _ = found.study(draw(1))
    seeds = Counter(row["config_id"] for row in rows)
    for own, *others in ((0, 5, 8), (2, 6, 9), (4, 7, 10)):
        for other in others:
            assert seeds[f"c{other}-r16-e20"] == seeds[f"c{own}-r16-e20"] >= 2
    assert sum(row["train_flops"] for row in rows) <= found.train_flops


@pytest.mark.slow
def test_all_rounds_of_a_tuned_rule_keep_the_level():
    found, draw = tuned_study()
    studies, counts = 60, Counter()
    for number in range(studies):
        rows, prereg = found.study(draw(number))
        study = Evidence(StudyCells.of(rows), prereg)
        counts[verdicts(study, ("R1-long",))["R1-long"].value] += 1
    for side in ("supported", "refuted"):
        assert lower(counts[side], studies, 0.99) <= MOST_WRONG, counts
