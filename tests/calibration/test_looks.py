"""Studies that are looked at several times: how often any look decides wrongly."""

from dataclasses import replace

import pytest

from analysis.rules import looks
from analysis.stats.sequential import Look
from calibration import runner
from calibration.cases.looks import CASES, UNPLANNED
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, lower, run, upper

STUDIES = 200
BY_NAME = {case.key: case for case in CASES}
# One way of looking for each rule; `make calibration` simulates the others too.
SIMULATED = (
    "R1-long: looks with 2 seeds more for the arm that is behind, unplanned",
    "R1-interaction: looks at 3, 5, 10 seeds, planned",
    "R4: looks with seeds for some cells only, unplanned",
)


@pytest.mark.slow
@pytest.mark.parametrize("key", SIMULATED)
def test_all_looks_together_keep_the_level(key):
    tally = run(BY_NAME[key], STUDIES)
    for side in tally.wrong_sides:
        # More than the limit, beyond chance, is a failure.
        assert lower(getattr(tally, side), STUDIES, 0.995) <= MOST_WRONG
    assert upper(tally.covered, tally.estimated, 0.995) >= LEAST_COVERAGE


@pytest.mark.slow
@pytest.mark.parametrize("how", list(UNPLANNED)[:1])
def test_looks_that_are_not_counted_do_not_keep_it(how, monkeypatch):
    """What is protected against: the same seeds, added until decided, each look at full level."""

    def uncounted(*arguments):
        return replace(looks.study_look(*arguments), look=Look())

    monkeypatch.setattr(runner, "study_look", uncounted)
    tally = run(BY_NAME[f"R1-long: looks {how}"], STUDIES)
    assert lower(tally.supported + tally.refuted, STUDIES) > 2 * MOST_WRONG
