"""Lengths of one trunk: their noise goes together, and intervals know that."""

import math
from dataclasses import replace

import numpy as np
import pytest
from calibration.case import Case, Rows
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, lower, run, upper
from calibration.simulator import TwoArms, study

from analysis.stats.trunk_variance import share_trunks, trunk_variance
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import noise_of
from helpers.made_up_results import cell

MARGIN, STUDIES = 0.005, 200


def lengths(name: str, errors: np.ndarray) -> list[Cell]:
    """Cells of one trunk, an array of errors for each length."""
    return [
        replace(
            cell(f"{name}-{epochs}", 1.0, tuple(values)),
            epochs=epochs,
            trunk=name,
            seeds=tuple(range(len(values))),
        )
        for epochs, values in zip((4, 20), errors, strict=True)
    ]


def drawn(rng: np.random.Generator, trunks: int, seeds: int = 4) -> list[Cell]:
    shared = rng.normal(0, 0.01, (trunks, 1, seeds))
    errors = 0.3 + shared + rng.normal(0, 0.004, (trunks, 2, seeds))
    return [one for n, each in enumerate(errors) for one in lengths(f"t{n}", each)]


def test_a_trunk_adds_the_variance_of_its_sum_drawn_towards_that_of_all() -> None:
    cells = drawn(np.random.default_rng(0), 3)
    weights = np.array([-1.0, 1.0, 0.5, -0.25])
    found = trunk_variance(cells[:4], weights, cells)
    errors = np.array([c.errors for c in cells]).reshape(3, 2, 4)
    own = [np.cov(each, ddof=1) for each in errors]
    pool = sum(own) / 3  # equal seeds: the mean
    terms = []
    for number in (0, 1):
        w = weights[2 * number : 2 * number + 2]
        terms.append((0.5 * w @ pool @ w + 3 * w @ own[number] @ w) / 3.5 / 4)
    assert found.value == pytest.approx(sum(terms))
    assert found.df == pytest.approx(sum(terms) ** 2 / sum(t**2 / 3 for t in terms))


def test_where_no_trunk_has_two_lengths_it_is_the_noise_of_cells() -> None:
    cells = [one for one in drawn(np.random.default_rng(1), 4) if one.epochs == 20]
    assert not share_trunks(cells)
    assert share_trunks(drawn(np.random.default_rng(1), 1))
    weights = np.array([1.0, -2.0, 0.5, 0.5])
    factors = {c.config_id: w**2 / c.n for c, w in zip(cells, weights, strict=True)}
    noise = noise_of(cells)
    assert noise is not None
    known, found = noise.of_sum(factors), trunk_variance(cells, weights, cells)
    assert (found.value, found.df) == pytest.approx((known.value, known.df))


def test_what_lengths_share_cancels_in_a_difference_and_doubles_in_a_mean() -> None:
    """With noise of the trunk alone, and many trunks: no variance, and twice that of one run."""
    rng = np.random.default_rng(2)
    shared = 0.3 + rng.normal(0, 0.01, (200, 1, 3)) * np.ones((1, 2, 1))
    cells = [one for n, each in enumerate(shared) for one in lengths(f"t{n}", each)]
    apart = trunk_variance(cells[:2], np.array([1.0, -1.0]), cells)
    mean = trunk_variance(cells, np.full(400, 1 / 400), cells)
    assert apart.value == pytest.approx(0, abs=1e-12)
    assert mean.value == pytest.approx(0.01**2 / 3 / 200, rel=0.1)


def test_lengths_with_other_seeds_count_the_seeds_that_both_have() -> None:
    rng = np.random.default_rng(3)
    cells = drawn(rng, 2)
    short = replace(cells[1], errors=cells[1].errors[:2], seeds=(0, 1))
    few = replace(cells[1], errors=cells[1].errors[:1], seeds=(3,))
    found = trunk_variance([cells[0], short], np.array([1.0, 1.0]), cells)
    assert found.df == 1
    assert found.value > 0
    with pytest.raises(PreconditionError, match=r"two seeds or more .*share 1$"):
        trunk_variance([cells[0], few], np.array([1.0, 1.0]), cells)


# -- Error rates, by a simulator of our own.


class Made:
    """Studies of `made` in which a run has a part of its noise from its trunk.

    `share` of the variance is of the trunk and the seed, in the units of each regime. The analysis
    is told of the trunks if they are `known`.
    """

    def __init__(self, made: TwoArms, known: bool, share: float) -> None:
        self._regimes = {regime.epochs: regime.sd for regime in made.regimes}
        shrunk = [replace(r, sd=r.sd * math.sqrt(1 - share)) for r in made.regimes]
        self._made, self._known, self._share = replace(made, regimes=shrunk), known, share

    def __call__(self, rng: np.random.Generator) -> Rows:
        rows, noise = self._made.rows(rng), dict[tuple[float, ...], float]()
        for row in rows:
            key = row["depth"], row["width"], row["seed"]
            mood = noise.setdefault(key, math.sqrt(self._share) * rng.standard_normal())
            row["val_error"] += self._regimes[row["epochs"]] * mood
            if self._known:
                row["trunk"] = f"{row['depth']}-{row['width']}"
        return rows


LEVELS = {
    "rules": {
        "deeper": {
            "kind": "levels",
            "along": "depth",
            "levels": [26, 14],
            "at": {"width": 0.25},
            "margin": MARGIN,
            "claim": "26 layers are better than 14",
        }
    }
}


def true_level(made: TwoArms) -> float:
    """ln(error) at depth 14 minus that at 26, the mean over regimes."""
    found = [{cell[0]: cell[3] for cell in made.cells(r) if cell[1] == 0.25} for r in made.regimes]
    return float(np.mean([each[14.0] - each[26.0] for each in found]))


@pytest.mark.slow
def test_rules_about_lengths_of_a_trunk_are_right_as_often_as_they_say() -> None:
    made = study(long=MARGIN)
    truths = {"R1-interaction": MARGIN, "R4": made.regret()}
    found = {
        (rule, known): run(Case(rule, "trunks", truth, Made(made, known, 0.8)), STUDIES)
        for rule, truth in truths.items()
        for known in (True, False)
    }
    for rule in truths:
        tally = found[rule, True]
        assert tally.estimated == STUDIES
        for side in tally.wrong_sides:
            assert lower(getattr(tally, side), STUDIES, 0.995) <= MOST_WRONG
        assert upper(tally.covered, tally.estimated, 0.995) >= LEAST_COVERAGE
    # What goes together in two lengths cancels in their difference, which pays.
    narrow, wide = (found["R1-interaction", known].width for known in (True, False))
    assert narrow < 0.8 * wide


@pytest.mark.slow
def test_a_mean_over_lengths_covers_what_it_says_and_noise_taken_as_independent_does_not() -> None:
    made = study(seeds=4)
    truth = true_level(made)
    found = {
        known: run(Case("deeper", "trunks", truth, Made(made, known, 0.9), LEVELS), STUDIES)
        for known in (True, False)
    }
    assert upper(found[True].covered, STUDIES, 0.995) >= LEAST_COVERAGE
    assert found[True].covered >= 0.93 * STUDIES
    assert upper(found[False].covered, STUDIES, 0.995) < 0.95
    assert found[True].width > 1.2 * found[False].width
