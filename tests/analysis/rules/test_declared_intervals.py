"""Intervals that rules declare: paired by seed, about other images, about other classes.

Error rates by simulation: studies are drawn from populations whose true effect is known.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from calibration.case import Case
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, lower, run, upper
from calibration.simulator import study

from analysis.rules.declared_interval import declared_interval, not_applied
from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import freeze, load_rules
from analysis.stats.contrast import Estimand, Gap
from analysis.stats.matched_gap import matched_gap
from analysis.stats.population import paired_variance, population_variance
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Match
from analysis.study.noise import noise_of
from analysis.study.run_images import with_images
from analysis.study.study_cells import StudyCells
from helpers.made_up_results import cell, runs
from helpers.study import write_study
from scaling_study.common.errors import InputError
from scaling_study.study.image_outcomes import ImageOutcomes, write_image_outcomes
from scaling_study.study.table import read_study

MARGIN, STUDIES = 0.005, 200
CLASSES, IMAGES, SEEDS = 24, 40, 3
# SD in logits that all images of a seed share, small where images should show; and of each alone.
MOOD, FLICKER = {"images": 0.02, "classes": 0.08}, 0.4


def evidence(cells, **rules):
    prereg = load_rules(None, {"rules": rules})
    return Evidence(StudyCells(cells), prereg)


def test_paired_variance_is_that_of_the_sums_over_seeds():
    rng = np.random.default_rng(0)
    errors = rng.random((3, 5))
    cells = [
        replace(cell(str(k), 1.0, tuple(e)), seeds=tuple(range(5))) for k, e in enumerate(errors)
    ]
    weights = np.array([1.0, -0.25, -0.75])
    found = paired_variance(cells, weights)
    sums = [sum(w * e[s] for w, e in zip(weights, errors, strict=True)) for s in range(5)]
    assert found.value == pytest.approx(np.var(sums, ddof=1) / 5)
    assert found.df == 4
    # A shift that all cells of a seed share cancels.
    shocked = [replace(c, errors=tuple(np.array(c.errors) + 0.1 * np.arange(5))) for c in cells]
    assert paired_variance(shocked, weights).value == pytest.approx(found.value)
    for bad in ((0, 1, 2, 3, 5), (0,)):
        with pytest.raises(PreconditionError, match="the same two seeds or more"):
            paired_variance([*cells[:2], replace(cells[2], seeds=bad)], weights)


@pytest.mark.slow
@pytest.mark.parametrize("shock", [0.0, 2.0])
def test_paired_intervals_are_right_as_often_as_they_say(shock):
    """R1-long where all cells share a shock of their seed, in units of the noise of a run."""
    made = study(long=MARGIN, shock=shock, seeds=5)
    rules = {"paired": True}
    tally = run(Case("R1-long", f"paired, shock {shock:g}", MARGIN, made.rows, rules), STUDIES)
    for side in tally.wrong_sides:
        assert lower(getattr(tally, side), STUDIES, 0.995) <= MOST_WRONG
    assert upper(tally.covered, tally.estimated, 0.995) >= LEAST_COVERAGE
    assert tally.estimated == STUDIES
    plain = run(Case("R1-long", f"paired, shock {shock:g}", MARGIN, made.rows), STUDIES)
    # Pairing pays where much is shared, and costs degrees of freedom where nothing is.
    assert (tally.width < plain.width) == (shock > 0)


def population(rng, units):
    """Chances of errors of two cells on many images of many classes, as (2, classes, images).

    Classes differ in difficulty and in how much the second cell gains on the first. With `units`
    images the classes are few and stay the same in all draws.
    """
    classes = 4000 if units == "classes" else CLASSES
    # Where images should show, seeds agree about most of them, and cells do not.
    spread, other = (6.0, 4.0) if units == "images" else (1.5, 0.5)
    difficulty = rng.normal(0, 0.7, (classes, 1)) + rng.normal(0, spread, (classes, 400))
    gain = 0.1 + rng.normal(0, 0.4, (classes, 1)) + rng.normal(0, other, (classes, 400))
    return 1 / (1 + np.exp(-np.stack([difficulty - 0.5, difficulty - 0.5 - gain])))


def drawn_cells(rng, chances, units):
    """Two cells of a study on some of the classes and images of a population."""
    kept = (
        rng.choice(chances.shape[1], CLASSES, replace=False)
        if units == "classes"
        else np.arange(CLASSES)
    )
    images = rng.integers(0, chances.shape[2], (CLASSES, IMAGES))
    at = np.take_along_axis(chances[:, kept], np.stack([images, images]), axis=2)
    logits = np.log(at / (1 - at))
    cells = []
    for k in range(2):
        mood = rng.normal(0, MOOD[units], (SEEDS, 1, 1))
        moods = mood + rng.normal(0, FLICKER, (SEEDS, CLASSES, IMAGES))
        wrong = rng.random((SEEDS, CLASSES, IMAGES)) < 1 / (1 + np.exp(-logits[k] - moods))
        sizes = np.full(CLASSES, IMAGES)
        outcomes = tuple(ImageOutcomes(~w.ravel(), sizes) for w in wrong)
        errors = tuple(float(w.mean()) for w in wrong)
        made = replace(cell(f"c{k}", 1.0, errors), seeds=tuple(range(SEEDS)), images=outcomes)
        cells.append(made)
    return cells


def truth_of(rng, chances, units):
    """ln(error) of the second cell minus the first's, over the whole population and seeds."""
    logits = np.log(chances / (1 - chances))
    means = [
        np.mean(
            1
            / (1 + np.exp(-logits - rng.normal(0, math.hypot(MOOD[units], FLICKER), logits.shape))),
            axis=(1, 2),
        )
        for _ in range(4)
    ]
    first, second = np.mean(means, axis=0)
    return math.log(second / first)


def gap_of(cells) -> Gap:
    match = Match("here", *cells)
    return matched_gap([match], {10: noise_of(cells)}, Estimand("flops"), 0.05)


@pytest.mark.parametrize("units", ["images", "classes"])
def test_wider_intervals_hold_for_other_images_and_classes(units):
    rng = np.random.default_rng(5)
    chances = population(rng, units)
    truth = truth_of(rng, chances, units)
    asked = {about: evidence([], generalise=about) for about in ("seeds", units)}
    covered, widths = {"seeds": 0, units: 0}, {"seeds": 0.0, units: 0.0}
    for _ in range(STUDIES):
        cells = drawn_cells(rng, chances, units)
        gap = gap_of(cells)
        for about, declared in asked.items():
            study_of = replace(declared, cells=StudyCells(cells))
            found, _ = declared_interval(study_of, gap, cells, Estimand("flops"), tuned=False)
            covered[about] += found.low <= truth <= found.high
            widths[about] += found.high - found.low
    assert upper(covered[units], STUDIES, 0.995) >= LEAST_COVERAGE
    assert covered[units] >= 0.93 * STUDIES
    assert upper(covered["seeds"], STUDIES, 0.995) < 0.95
    assert widths[units] > widths["seeds"]


def test_what_seeds_alone_cause_is_not_counted_twice():
    """Cells that are equal on every image but for their seeds gain nothing from other images."""
    rng = np.random.default_rng(1)
    chances = np.full((2, CLASSES, 400), 0.3)
    added = []
    for _ in range(200):
        cells = drawn_cells(rng, chances, "images")
        weights = np.array([-1 / cells[0].error, 1 / cells[1].error])
        added.append(population_variance(cells, weights, "images").value)
    naive = 2 * 0.3 * 0.7 / (SEEDS * 0.3**2 * CLASSES * IMAGES)
    assert np.mean(added) < 0.15 * naive


def test_seeds_needed_do_not_count_on_other_images():
    rng = np.random.default_rng(2)
    cells = drawn_cells(rng, population(rng, "images"), "images")
    asked = evidence(cells, generalise="images")
    found, (note,) = declared_interval(asked, gap_of(cells), cells, Estimand("flops"), tuned=False)
    assert found.population_se > 0
    assert note.startswith("about other images of the same kind: ")
    assert not_applied(asked.prereg, gap_of(cells), tuned=False) == ()
    (said,) = not_applied(asked.prereg, replace(found, weights={}), tuned=False)
    assert said.startswith("this interval is no contrast of cells, so rules.generalise")


def test_runs_that_do_not_say_cannot_be_generalised():
    rng = np.random.default_rng(3)
    one, other = drawn_cells(rng, population(rng, "images"), "images")
    silent: Cell = replace(other, images=(None, *other.images[1:]))
    with pytest.raises(PreconditionError, match="not every run of"):
        population_variance([one, silent], np.array([1.0, -1.0]), "images")
    odd = ImageOutcomes(other.images[0].right, np.array([1, CLASSES * IMAGES - 1]))
    with pytest.raises(PreconditionError, match="saw different images"):
        population_variance(
            [one, replace(other, images=(odd, *other.images[1:]))], np.ones(2), "classes"
        )


def test_the_rules_declare_it_and_the_runs_are_read(tmp_path):
    with pytest.raises(InputError, match=r"rules\.generalise: .*worlds"):
        load_rules(None, {"rules": {"generalise": "worlds"}})
    grid = "name: demo\nrules: {generalise: images, paired: true}\n"
    folder = write_study(tmp_path, runs({4: 0.0, 20: 0.05}), grid)
    loaded = read_study(folder)
    (first, second, *_) = loaded.runs.to_dict("records")
    labels = np.array([1, 0, 1])
    write_image_outcomes(
        folder.parent / "runs" / first["run_id"], np.array([True, False, False]), labels
    )
    read, silent = with_images([first, second], loaded)
    assert read["images"].right.tolist() == [False, True, False]
    assert silent["images"] is None
    rules = load_rules(folder, loaded.grid)
    assert (rules.paired, rules.generalise, rules.exploratory) == (True, "images", "")
    changed = load_rules(folder, {})
    assert "paired, generalise" in changed.exploratory


def test_rules_that_declare_neither_are_frozen_as_before(tmp_path):
    text = freeze(tmp_path, {}).read_text(encoding="utf-8")
    assert "paired" not in text
    assert "generalise" not in text
