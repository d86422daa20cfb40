"""Verdicts as sentences."""

from dataclasses import replace

import pytest

from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import finding, sentence, why
from analysis.stats.contrast import Gap
from analysis.stats.decision import Verdict


def _judged(name, value, gap, epochs=30, **verdict):
    rules = {rule.name: rule for rule in load_rules(None, {}).rules}
    return Judgement(rules[name], Verdict(value, "a reason", **verdict), epochs, gap)


def gap(estimate, half):
    return Gap(estimate, half / 2, 12.0, estimate - half, estimate + half, 0.2, 0.0, {}, {})


@pytest.mark.parametrize(
    ("name", "value", "effect", "said"),
    [
        (
            *("R1-long", "supported", gap(0.021, 0.006)),
            "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % of the error; "
            "supported",
        ),
        (
            *("R1-short", "refuted", gap(0.021, 0.006)),
            "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % of the error; "
            "refuted",
        ),
        (
            *("R1-long", "inconclusive", gap(-0.004, 0.006)),
            "At 30 epochs depth and width cannot be told apart at equal step time: width is ahead "
            "by 0.4 % ± 0.6 % of the error; inconclusive",
        ),
        (
            *("R4", "supported", gap(0.004, 0.001)),
            "Choosing between depth and width by short training costs 0.40 ± 0.10 percentage "
            "points of error in long training at equal step time; supported",
        ),
        (
            *("R4", "inconclusive", gap(0.0005, 0.001)),
            "It cannot be told whether choosing between depth and width by short training costs "
            "more than 0.1 percentage points of error in long training at equal step time: it "
            "costs 0.05 ± 0.10 percentage points; inconclusive",
        ),
        (
            *("R1-interaction", "inconclusive", gap(-0.004, 0.006)),
            "From the shortest to the longest training it cannot be told at equal step time "
            "whether depth or width gains: width is ahead by 0.4 % ± 0.6 % of the error; "
            "inconclusive",
        ),
        (
            *("R3", "inconclusive", gap(0.169, 0.581)),
            "It cannot be told whether error falls more slowly with FLOPs beyond the best "
            "breakpoint: its exponent changes by 0.17 ± 0.58; inconclusive",
        ),
    ],
)
def test_verdicts_are_sentences(name, value, effect, said):
    judged = _judged(name, value, effect)
    assert sentence(judged) == said
    assert bool(why(judged)) == (value != "supported")


@pytest.mark.parametrize(
    ("name", "ends", "said"),
    [
        ("R3-harm", (1.0, 0.03, 1.0), "100 % [3 %, 100 %] (the most there can be) of single steps"),
        ("R4", (0.0, 0.0, 0.004), "costs 0.00 [0.00, 0.40] percentage points (the least there can"),
        ("R4", (0.0, 0.0, 0.0), "costs 0.00 ± 0.00 percentage points (the least there can be) of"),
        ("R3-harm", (0.5, 0.03, 0.97), "50 % ± 47 % of single steps"),
        ("R2-exponent", (0.2, 0.2, 0.2), "0.20 ± 0.00 (nothing scatters)"),
    ],
)
def test_an_estimate_at_the_end_of_its_interval_is_not_left_without_a_word(name, ends, said):
    estimate, low, high = ends
    judged = _judged(name, "supported", Gap(estimate, 0.1, 12.0, low, high))
    assert said in finding(judged)


ROWS = {
    "plain": {},
    "cosine": {"train.schedule": "cosine"},
    "longer": {"epochs": 9},
    "EMA": {"a": 1},
}


@pytest.mark.parametrize(
    ("kind", "levels", "effect", "said"),
    [
        (
            *("cumulative", ["EMA", "plain"], gap(0.1, 0.02)),
            "Cosine, longer and EMA, added to plain: with beats without by 10.0 % ± 2.0 % of the "
            "error",
        ),
        (
            *("cumulative", ["plain", "cosine"], gap(0.1, 0.02)),
            "Cosine, added to plain: without beats with by 10.0 % ± 2.0 % of the error",
        ),
        (
            *("cumulative", ["EMA", "longer"], gap(0.01, 0.02)),
            "EMA, added to longer and the rows before it: with and without cannot be told apart: "
            "with is ahead by 1.0 % ± 2.0 % of the error",
        ),
        (
            *("independent", ["EMA", "plain"], gap(0.1, 0.02)),
            "With all else equal EMA beats plain by 10.0 % ± 2.0 % of the error",
        ),
    ],
)
def test_a_rule_between_two_rows_of_variants_names_what_it_compares(kind, levels, effect, said):
    rule = {"kind": "levels", "along": "variant", "levels": levels}
    grid = {"variants": {kind: ROWS}, "rules": {"rules": {"mine": rule}}}
    mine = next(r for r in load_rules(None, grid).rules if r.name == "mine")
    judged = Judgement(mine, Verdict("supported", "a reason"), None, effect)
    assert finding(judged) == said
    assert sentence(judged) == f"{said}; supported"


def test_every_kind_of_rule_has_a_sentence():
    for rule in load_rules(None, {}).rules:
        for value in (gap(0.3, 0.1), gap(-0.3, 0.1)):
            judged = _judged(rule.name, "supported", None if rule.kind == "all" else value)
            assert sentence(judged).endswith("; supported")
            if rule.kind != "all":
                unsure = _judged(rule.name, "inconclusive", replace(value, low=-0.5, high=0.5))
                assert "cannot be told" in sentence(unsure)
        untested = _judged(rule.name, "not_testable", None)
        assert sentence(untested).endswith("this study cannot test it")
        assert why(untested)
