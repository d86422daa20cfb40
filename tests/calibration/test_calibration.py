"""The page of error rates is that of its numbers and cases; a case per rule is simulated again."""

import pytest

from calibration.report import COMPUTE, PAGE, REPLAY, page, read_rows, updated
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, all_cases, lower, run, upper

STUDIES = 200
# The hardest case of each rule that is fast, one of a tuned rule and one in rounds.
AGAIN = (
    ("R1-long", "middle cells 3x noisier, normal, 3 seeds"),
    ("R1-long", "tuned: the recipe's rate favours depth, 3 seeds"),
    ("R1-long", "adaptive, 2 rounds, normal"),
    ("R1-interaction", "drift of 10 % shared by replicates, 3 seeds"),
    ("R1-short", "all cells alike, normal, 3 seeds"),
    ("R2", "true ratio at the margin, 3 depths"),
    ("R4", "short gap +0.2 %, long gap +5 %, 3 seeds"),
)


def test_the_page_shows_the_numbers():
    assert PAGE.read_text(encoding="utf-8") == page(
        read_rows(), read_rows(COMPUTE), read_rows(REPLAY)
    )


def test_every_case_was_simulated():
    keys = [case.key for case in all_cases()]
    assert len(set(keys)) == len(keys)
    assert [f"{row['rule']}: {row['case']}" for row in read_rows()] == keys


def test_every_rule_has_a_case_that_is_simulated_again():
    assert {row["rule"] for row in read_rows()} == {rule for rule, _ in AGAIN}


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "name"), AGAIN)
def test_a_case_of_each_rule_holds(rule, name):
    (case,) = (c for c in all_cases() if (c.rule, c.name) == (rule, name))
    tally = run(case, STUDIES)
    for side in tally.wrong_sides:
        assert lower(getattr(tally, side), STUDIES, 0.995) <= MOST_WRONG
    assert upper(tally.covered, tally.estimated, 0.995) >= LEAST_COVERAGE
    assert tally.estimated > STUDIES / 2


def test_some_cases_are_written_among_the_others_in_their_order():
    old = [{"rule": "R", "case": name, "studies": "9", "supported": "1"} for name in "abd"]
    new = [{"rule": "R", "case": name, "studies": "9", "supported": "2"} for name in "cb"]
    found = updated(old, new, ["R: a", "R: b", "R: c"])
    assert [(row["case"], row["supported"]) for row in found] == [
        ("a", "1"),
        ("b", "2"),
        ("c", "2"),
    ]
    assert updated([], new, ["R: c"]) == [new[0]]


def test_few_studies_do_not_get_among_many():
    old, new = ({"rule": "R", "case": name, "studies": n} for name, n in (("a", "9"), ("b", "2")))
    with pytest.raises(ValueError, match="cases of 2 and 9 studies"):
        updated([old], [new], ["R: a", "R: b"])
