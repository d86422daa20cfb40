"""What an arm gains with length, on images that repeat against new ones."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.rules.design_analysis import decidable, describe, sufficient_cells
from analysis.rules.evidence import Evidence
from analysis.rules.kind import Estimate
from analysis.rules.planned import PlannedStudy
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from helpers.image_supplies import LENGTHS, NEW, SAME, SEEDS, log_errors, rows, truth
from scaling_study.common.errors import InputError

GRID: dict[str, Any] = {
    "variants": {"independent": {SAME: {}, NEW: {"data.fresh": True}}},
    "rules": {
        "cost": "flops",
        "rules": {
            "over-fitting": {
                "kind": "three_way_interaction",
                "along": "variant",
                "levels": [SAME, NEW],
                "claim": "depth gains more with length where images repeat",
            },
            "steps": {"kind": "interaction", "at": {"variant": NEW}},
            "R1-long": {"at": {"variant": SAME}},
        },
    },
}
MARGIN = 0.005
STUDIES = 200


def rules(grid: dict[str, Any] = GRID) -> dict[str, Rule]:
    return {rule.name: rule for rule in load_rules(None, grid).rules}


def prereg() -> Preregistration:
    return load_rules(None, GRID)


def estimate(found: list[dict[str, Any]], name: str) -> Estimate:
    rule = rules()[name]
    study = Evidence(StudyCells.of(found), prereg())
    return find_kind(rule.kind).estimate(study, rule, Estimand(rule.cost))


def gaps(long: float) -> dict[tuple[str, int], float]:
    """Gaps of both supplies after both lengths; that of same images after the long one is given."""
    return {(SAME, 8): -0.01, (SAME, 48): long, (NEW, 8): 0.02, (NEW, 48): 0.03}


def with_effect(effect: float) -> dict[tuple[str, int], float]:
    """Gaps whose true three-way interaction is `effect`."""
    at_zero = truth(gaps(0.0))
    return gaps((effect - at_zero) / (truth(gaps(1.0)) - at_zero))


def test_the_estimate_and_its_error_are_those_by_hand() -> None:
    made = rows(np.random.default_rng(5), gaps(0.08))
    found = estimate(made, "over-fitting").gap
    assert found is not None
    # Ends of the arms at the least cost of both, the wide one's: half of their difference.
    share = math.log(2.23) / math.log(2.33)
    omegas = {(14, 0.25): (share - 1) / 2, (38, 0.25): -share / 2, (14, 0.375): 0.5}
    total, variance = 0.0, 0.0
    for (variant, epochs), _ in gaps(0.08).items():
        sign = (1 if variant == SAME else -1) * (1 if epochs == 48 else -1)
        for (depth, width), omega in omegas.items():
            errors = [
                row["val_error"]
                for row in made
                if (row["variant"], row["epochs"], row["depth"], row["width"])
                == (variant, epochs, depth, width)
            ]
            mean = float(np.mean(errors))
            total += sign * omega * math.log(mean)
            variance += (omega / mean) ** 2 * float(np.var(errors, ddof=1)) / len(errors)
    assert found.estimate == pytest.approx(total, rel=1e-9)
    # The interval draws each cell's variance a little towards the pooled one.
    assert found.se == pytest.approx(math.sqrt(variance), rel=0.1)
    half = float(stats.t.ppf(0.975, found.df)) * found.se
    assert (found.low, found.high) == pytest.approx((total - half, total + half))


def test_parts_are_the_interactions_of_either_supply() -> None:
    made = rows(np.random.default_rng(6), gaps(0.08))
    whole, new = (estimate(made, name).gap for name in ("over-fitting", "steps"))
    same = estimate([row | {"variant": NEW} for row in made if row["variant"] == SAME], "steps").gap
    assert whole is not None
    assert new is not None
    assert same is not None
    assert whole.estimate == pytest.approx(same.estimate - new.estimate)
    assert whole.se == pytest.approx(math.hypot(same.se, new.se))
    assert max(same.df, new.df) < whole.df < same.df + new.df + 1


@pytest.mark.slow
@pytest.mark.parametrize("noisier", [1.0, 3.0])
def test_it_is_wrong_as_seldom_as_declared(noisier: float) -> None:
    """At the margin either verdict is wrong: 2.5 % each; the interval holds the truth in 95 %."""
    rng, true = np.random.default_rng(20210319), with_effect(MARGIN)
    assert truth(true) == pytest.approx(MARGIN)
    found = [estimate(rows(rng, true, noisier), "over-fitting") for _ in range(STUDIES)]
    for verdict in ("supported", "refuted"):
        wrong = sum(one.verdict.value == verdict for one in found)
        assert stats.binomtest(wrong, STUDIES, 0.025, "greater").pvalue > 0.005, wrong
    covered = sum(one.gap.low <= MARGIN <= one.gap.high for one in found if one.gap)
    assert stats.binomtest(covered, STUDIES, 0.95, "less").pvalue > 0.005, covered


@pytest.mark.slow
def test_the_plan_foresees_how_often_it_decides() -> None:
    """At the effect that the plan says is decided with 80 % power, about 80 % of studies do."""
    planned = [
        {k: v for k, v in row.items() if k != "val_error"}
        for row in rows(np.random.default_rng(0), gaps(0.0))
    ]
    # Errors and noise of a cell in the middle of both arms, as a pilot has them.
    pilot = {epochs: (0.88 * error, sd) for epochs, (error, sd) in LENGTHS.items()}
    power = {p.rule: p for p in decidable(planned, prereg(), pilot)}["over-fitting"]
    assert power.mde80 is not None
    assert power.epochs is None
    true, rng = with_effect(power.mde80), np.random.default_rng(7)
    decided = sum(
        estimate(rows(rng, true), "over-fitting").verdict.value == "supported"
        for _ in range(STUDIES)
    )
    assert decided / STUDIES == pytest.approx(0.8, abs=0.1)


def test_every_cell_of_both_supplies_is_needed() -> None:
    made = rows(np.random.default_rng(0), gaps(0.0))
    every = {row["config_id"] for row in made}
    names = [rule.name for rule in prereg().rules]
    sets = dict(zip(names, sufficient_cells(made, prereg(), {}), strict=True))
    assert {frozenset(one) for one in sets["over-fitting"]} == {frozenset(every)}
    assert {frozenset(one) for one in sets["steps"]} == {frozenset(k for k in every if NEW in k)}


def test_lengths_of_both_supplies_are_compared_in_images() -> None:
    """Four times the images in a quarter of the epochs are as long, in as many epochs not."""
    made = rows(np.random.default_rng(0), gaps(0.05))
    fewer = [
        row | {"epochs": row["epochs"] // 4, "n_train": 2560} if row["variant"] == NEW else row
        for row in made
    ]
    assert estimate(fewer, "over-fitting").gap == estimate(made, "over-fitting").gap
    longer = [row | {"n_train": 2560} if row["variant"] == NEW else row for row in made]
    said = "short training has different lengths, in images: 5,120 with same images and 20,480 with"
    with pytest.raises(PreconditionError, match=said):
        estimate(longer, "over-fitting")


def test_other_rules_are_about_the_settings_that_they_name() -> None:
    made = rows(np.random.default_rng(0), gaps(0.08))
    fewer = [
        row | {"epochs": row["epochs"] * 2, "n_train": 320} if row["variant"] == NEW else row
        for row in made
    ]
    rule = rules()["R1-long"]
    cells = StudyCells.of(fewer)
    # The longest training of the same images, not that of the study, which is 96 epochs.
    assert find_kind(rule.kind).epochs(cells, rule) == 48
    alone = StudyCells.of([row for row in made if row["variant"] == SAME])
    whole = find_kind(rule.kind).effect(Evidence(cells, prereg()), rule, Estimand("flops"))
    part = find_kind(rule.kind).effect(Evidence(alone, prereg()), rule, Estimand("flops"))
    assert whole.gap == part.gap
    new = StudyCells.of([row for row in made if row["variant"] == NEW])
    with pytest.raises(PreconditionError, match="no run with variant same images"):
        find_kind(rule.kind).effect(Evidence(new, prereg()), rule, Estimand("flops"))


def test_it_says_what_it_compares() -> None:
    made = rows(np.random.default_rng(0), gaps(0.0))
    (line,) = (p for p in describe(decidable(made, prereg(), {})) if p.startswith("over-fitting"))
    assert line.startswith("over-fitting: decides effects of ")
    kind, rule = find_kind("three_way_interaction"), rules()["over-fitting"]
    assert kind.topic(rule, None) == (
        "whether depth gains more with length with same images than with new images"
    )
    planned = PlannedStudy(StudyCells.of(made), prereg(), {})
    sides = kind.sides(planned, rule)
    assert {name: len(ids) for name, ids in sides.items()} == {"depth arm": 8, "width arm": 8}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": [SAME]}, r"over-fitting\.levels: \['same images'\] must be two different"),
        ({"along": ""}, r"over-fitting\.along: '' must name an axis"),
        ({"at": ["variant"]}, r"over-fitting\.at: \['variant'\] must map settings to values"),
        ({"tuned": "lr"}, r"over-fitting\.tuned: rules of kind three_way_interaction are about"),
        ({"regime": "longest"}, r"over-fitting: 'regime'; known"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    declared = GRID["rules"]["rules"]["over-fitting"] | change
    own = {**GRID, "rules": {"rules": {"over-fitting": declared}}}
    with pytest.raises(InputError, match=said):
        rules(own)


def test_the_simulator_has_the_gaps_that_it_says() -> None:
    assert truth(gaps(0.08)) == pytest.approx((0.08 + 0.01) - (0.03 - 0.02))
    assert len(rows(np.random.default_rng(0), gaps(0.0))) == 4 * sum(SEEDS)
    base, deep, wide = log_errors(0.25, 0.0)
    assert base > wide > deep
