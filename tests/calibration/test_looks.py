"""Studies that are looked at several times: how often any look decides wrongly."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.rules.evidence import Evidence
from analysis.rules.looks import study_look
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.stats.contrast import Estimand
from analysis.study.study_cells import StudyCells
from calibration.runner import MOST_WRONG, lower
from calibration.simulator import study

STUDIES = 400
# True effects at the margin, where a verdict of either side is wrong.
AT_MARGIN = {"R1-long": (0.0, 0.005), "R1-interaction": (0.0, 0.005), "R4": (0.002, 0.05)}


def decided(rule_name, seeds, planned, looks):
    """How many studies any look supports and refutes; the first decision ends a study."""
    declared = load_rules(None, {"rules": {"looks": looks}})
    (rule,) = (r for r in declared.rules if r.name == rule_name)
    made = study(*AT_MARGIN[rule_name], seeds=max(seeds))
    found = {"supported": 0, "refuted": 0}
    for number in range(STUDIES):
        rows = made.rows(np.random.default_rng([8, number]))
        for n in seeds:
            cells = StudyCells.of([row for row in rows if row["seed"] < n])
            plan = {c.config_id: planned for c in cells} if planned else None
            look = study_look({c.config_id: c.n for c in cells}, looks, plan)
            prereg = replace(declared, look=look)
            estimate = find_kind(rule.kind).estimate(
                Evidence(cells, prereg), rule, Estimand(rule.cost)
            )
            if estimate.verdict.value in found:
                found[estimate.verdict.value] += 1
                break
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rule", AT_MARGIN)
@pytest.mark.parametrize(
    ("seeds", "planned", "looks"),
    [((3, 5, 10), None, [3, 5, 10]), ((3, 4, 5, 6, 8, 10), 3, [])],
    ids=["planned", "until decided"],
)
def test_all_looks_together_keep_the_level(rule, seeds, planned, looks):
    found = decided(rule, seeds, planned, looks)
    # R4's true regret is 0 there, so that only support is wrong.
    sides = ("supported",) if rule == "R4" else ("supported", "refuted")
    for side in sides:
        # More than the limit, beyond chance, is a failure.
        assert lower(found[side], STUDIES, 0.99) <= MOST_WRONG - 0.005, found
