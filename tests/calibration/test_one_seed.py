"""One seed per cell: the SD between seeds that is taken for it, the present one and the former."""

import pytest

from analysis.study import noise
from analysis.study.noise_prior import Factor
from calibration.cases.one_seed import CASES
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, lower, run, upper

STUDIES = 300
KNOWN = "one seed, SD drawn around the prior, a data set with replicates elsewhere"
JUDGED = [case for case in CASES if case.rule != "R4" and case.name.startswith(KNOWN)]


class Former:
    """sqrt(e / 2n) as it stands, taken as known: the prior before it was calibrated."""

    def factor(self, data: str | None, images_seen: float | None) -> Factor:
        return Factor(0.0, 1e-6, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", JUDGED, ids=lambda case: case.key)
def test_the_formula_alone_is_wrong_too_often_where_the_calibrated_prior_holds(case, monkeypatch):
    """The true SDs scatter as those of repeated trainings do, most of them above the formula's."""
    held = run(case, STUDIES)
    assert all(
        lower(getattr(held, side), STUDIES, 0.995) <= MOST_WRONG for side in held.wrong_sides
    )
    assert upper(held.covered, held.estimated, 0.995) >= LEAST_COVERAGE
    # Only what the analysis takes for the SD changes, not how studies are drawn.
    monkeypatch.setattr(noise, "published_prior", Former)
    before = run(case, STUDIES)
    assert before.width < held.width
    assert lower(before.supported + before.refuted, STUDIES) > 2 * MOST_WRONG
    assert upper(before.covered, before.estimated) < LEAST_COVERAGE
