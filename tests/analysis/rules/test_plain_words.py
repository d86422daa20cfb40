"""What people are told first: a sentence per claim, without codes and degrees of freedom."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.rules.kind import Estimate, Judgement
from analysis.rules.plain_words import found, planned
from analysis.rules.preregistration import load_rules
from analysis.stats.contrast import Gap
from analysis.stats.decision import UNDECIDED, Verdict
from helpers.packaged_plans import FIG3, NOWHERE
from helpers.packaged_plans import planned as plan_of
from scaling_study.sweep.decisions import Plan

PREREG = load_rules(None, {})
RULES = {rule.name: rule for rule in PREREG.rules}
CODES = re.compile(r"\bR\d|\bdf\b|SE \d|sha256")


def gap(estimate: float, half: float) -> Gap:
    return Gap(estimate, half / 2, 12.0, estimate - half, estimate + half, 0.2, 0.0, {}, {})


def judged(name: str, value: Any, effect: Gap | None = None, **verdict: Any) -> Judgement:
    reason = verdict.pop("reason", UNDECIDED if value == "inconclusive" else "a reason")
    epochs = {"R1-long": 20, "R1-short": 4}.get(name)
    return Judgement(RULES[name], Verdict(value, reason, **verdict), epochs, effect)


def said(*judgements: Judgement, grid: Any = None) -> list[tuple[str, str]]:
    return [*found(judgements, PREREG, grid or {})]


def test_what_is_decided_is_a_sentence() -> None:
    assert said(judged("R1-long", "supported", gap(0.031, 0.023))) == [
        (
            "supported",
            "At 20 epochs depth beats width at equal step time by 3.1 % ± 2.3 % of the error",
        )
    ]
    ((word, text),) = said(judged("R1-short", "refuted", gap(0.031, 0.023)))
    assert word == "refuted"
    assert text.startswith("At 4 epochs depth beats width at equal step time by 3.1 % ± 2.3 %")
    assert text.endswith(f"The claim was that {RULES['R1-short'].claim}")


@pytest.mark.parametrize(
    ("judgement", "line"),
    [
        (
            judged("R1-short", "inconclusive", gap(-0.01, 0.03), seeds_needed=41),
            "At 4 epochs depth or width: about 41 seeds per cell would decide",
        ),
        (
            judged("R1-interaction", "inconclusive", gap(0.01, 0.03), seeds_needed=12),
            "Whether depth gains with length: about 12 seeds per cell would decide",
        ),
        (
            judged("R1-long", "inconclusive", gap(0.005, 0.03)),
            "At 20 epochs depth or width: more than 1000 seeds per cell, or more cells, would "
            "decide",
        ),
        (
            judged("R4", "inconclusive", gap(0.01, 0.03)),
            "What choosing by short training costs: more seeds would decide",
        ),
        (
            judged("R3", "inconclusive", gap(0.01, 0.03)),
            "Error departs from a power law of FLOPs, falling more slowly beyond some cost: more "
            "configurations would decide",
        ),
        (
            judged("R4", "inconclusive", gap(0.01, 0.03), reason="supported by itself, but not"),
            "What choosing by short training costs: supported by itself, but not",
        ),
    ],
)
def test_what_is_open_is_one_line_with_what_would_decide_it(
    judgement: Judgement, line: str
) -> None:
    assert said(judgement) == [("undecided", line)]


def test_a_claim_of_parts_waits_for_those_that_are_open() -> None:
    whole = judged("R1", "inconclusive", reason="by itself, but not among 2 headline claims")
    parts = [judged(name, "supported", gap(0.03, 0.01)) for name in ("R1-long", "R1-short")]
    assert said(*parts, whole)[-1][1].endswith(": by itself, but not among 2 headline claims")
    open_ = judged("R1-short", "inconclusive", gap(0.01, 0.03), seeds_needed=9)
    assert said(parts[0], open_, whole)[-1] == (
        "undecided",
        "Scale depth where training is long enough to over-fit, width where it is short: open as "
        "long as one of its parts is",
    )


def test_another_verdict_at_equal_flops_is_told() -> None:
    at_flops = Estimate(gap(0.05, 0.01), Verdict("supported", "beyond"))
    other = {"at equal FLOPs": at_flops}
    open_ = judged("R1-long", "inconclusive", gap(0.01, 0.03), seeds_needed=9)
    assert said(replace(open_, sensitivities=other))[0][1].endswith(" (at equal FLOPs: supported)")
    sure = judged("R1-long", "supported", gap(0.05, 0.01))
    assert "FLOPs" not in said(replace(sure, sensitivities=other))[0][1]


def test_order_is_decided_open_untested_and_no_code_is_told() -> None:
    reason = "one regime only (4 epochs); long and short need two"
    told = said(
        *(judged(name, "not_testable", reason=reason) for name in ("R1-long", "R1-short")),
        judged("R1", "not_testable", reason="R1-long, R1-short could not be tested"),
        judged("R4", "inconclusive", gap(0.01, 0.03)),
        *(judged(name, "not_testable", reason=f"{name} lacks it") for name in ("R2", "R3", "R5")),
        judged("R3-harm", "supported", gap(0.3, 0.1)),
    )
    assert [word for word, _ in told] == ["supported", "undecided", "untested", "untested"]
    assert told[2][1] == f"2 rules cannot be tested: {reason}"
    assert (
        told[3][1] == "3 other rules need more configurations or two families; --details says why"
    )
    assert not any(CODES.search(text) for _, text in told)


def plan_lines(name: str) -> Sequence[str]:
    rows, grid = plan_of(name)
    plan = Plan(rows, NOWHERE, grid, {})
    return planned(plan.powers(rows), plan.prereg, grid)


def test_a_plan_says_what_it_can_decide_and_what_it_is_not_for_in_a_line() -> None:
    lines = plan_lines("depth_vs_width_large")
    assert lines[0] == "what can be decided, with 80 % power (a pilot's noise):"
    assert re.fullmatch(
        r"  At 20 epochs depth or width: differences of \d+\.\d % of the error", lines[1]
    )
    assert lines[4] == "  3 more rules can be tested"
    assert lines[5:] == [
        "6 other rules need more configurations or two families; explain=rules says why"
    ]
    assert not any(CODES.search(line) or len(line) > 80 for line in lines)


def test_a_grid_with_rules_of_its_own_is_for_those() -> None:
    *_, last = plan_lines("slow_resolution")
    assert last.startswith("11 other rules need two arms and two lengths of training or more conf")
    *_, last = plan_lines(FIG3)
    assert last.startswith("4 other rules need more configurations or two families")
    # Those that it is for, and cannot test, are told with the reason.
    lines = plan_lines("smoke")
    assert lines[0] == (
        "4 rules cannot be tested: one regime only (2 epochs); long and short need two"
    )
    assert len(lines) == 2


def test_unequal_sources_of_noise_are_told_line_by_line(tmp_path: Path) -> None:
    rows, grid = plan_of("depth_vs_width_large")
    partly = {**grid, "planning": {4: grid["planning"][4]}}
    plan = Plan(rows, tmp_path, partly, {})
    lines = planned(plan.powers(rows), plan.prereg, partly)
    assert lines[0] == "what can be decided, with 80 % power:"
    assert [line.partition("error (")[2] for line in lines[1:4]] == [
        "assumed noise)",
        "a pilot's noise)",
        "assumed noise)",
    ]
