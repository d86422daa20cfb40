"""Which claim a report opens with, and which figure shows it."""

import pytest

from analysis.report.main_claim import main_claim, main_picture, others
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.stats.contrast import Gap
from analysis.stats.decision import Verdict

GAP = Gap(0.1, 0.01, 9.0, 0.08, 0.12)
OWN = {"rules": {"rules": {"mine": {"kind": "levels", "along": "depth", "levels": [14, 26]}}}}
DRAWN = ("arms_step_time_s", "frontier_flops", "laws", "main_effects", "verdicts")


def judged(grid, **verdicts):
    rules = {rule.name: rule for rule in load_rules(None, grid).rules}
    return [
        Judgement(
            rules[name.replace("_", "-")], Verdict(value, "why"), 20, None if name == "R1" else GAP
        )
        for name, value in verdicts.items()
    ]


@pytest.mark.parametrize(
    ("grid", "verdicts", "claim", "picture"),
    [
        ({}, {"R1": "refuted", "R1_long": "supported"}, "R1-long", "arms_step_time_s"),
        ({}, {"R1_long": "inconclusive", "R1_short": "refuted"}, "R1-short", "arms_step_time_s"),
        ({}, {"R3_harm": "supported", "R4": "refuted"}, "R4", "arms_step_time_s"),
        ({}, {"R3": "supported", "R1_long": "not_testable"}, "R3", "laws"),
        (OWN, {"R1_long": "supported", "mine": "refuted"}, "mine", "main_effects"),
        ({}, {"R1_long": "not_testable"}, None, "main_effects"),
    ],
)
def test_a_decided_claim_of_the_study_comes_first(grid, verdicts, claim, picture):
    judgements = judged(grid, **verdicts)
    found = main_claim(judgements, grid)
    assert (found and found.rule.name) == claim
    assert main_picture(DRAWN, found) == picture
    assert found not in others(judgements, found)
    assert main_picture((), found) is None
