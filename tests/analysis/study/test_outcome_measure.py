"""What a study declares of its outcome, and what follows from it in words and numbers."""

import math

import numpy as np
import pytest

from analysis.rules import phrases
from analysis.rules.preregistration import load_rules
from analysis.stats.contrast import Estimand, gap_of
from analysis.study.cells import cells_of
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.measure import ERROR, measure_of
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

LOSS = {"name": "loss", "unit": "nats", "best": 1.2}
SHAPES = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))
RAW = {"name": "accuracy", "unit": "%", "direction": "higher", "scale": "difference"}


def grid(outcome: object, **more: object) -> dict:
    return {"task": {"name": "table", "outcome": outcome, "length": "tokens"}, **more}


def test_top_1_error_is_the_default() -> None:
    assert measure_of({}) == ERROR
    assert ERROR.axis == "validation error (%)"
    assert ERROR.at(20) == "20 epochs"
    assert ERROR.interval(0.021, 0.012, 0.030) == "+2.1 % [1.2, 3.0]"


@pytest.mark.parametrize(
    ("outcome", "axis", "gap", "better"),
    [
        (LOSS, "loss above 1.2 (nats)", "relative loss above 1.2", "lower loss"),
        ({**LOSS, "best": "fit"}, "loss above its floor (nats)", "relative loss above its floor",
         "lower loss"),
        (RAW, "minus accuracy (%)", "difference in accuracy", "higher accuracy"),
        ({"name": "acc", "unit": "fraction", "direction": "higher", "best": 1}, "acc below 1 (%)",
         "relative acc below 1", "higher acc"),
    ],
)  # fmt: skip
def test_words_follow_the_declaration(outcome: dict, axis: str, gap: str, better: str) -> None:
    measure = measure_of(grid(outcome))
    assert (measure.axis, measure.gap, measure.better) == (axis, gap, better)
    assert measure.at(400) == "400 tokens"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"scale": "ratio"}, "task.outcome.scale=ratio: must be log or difference"),
        ({"best": "guess"}, "task.outcome.best=guess: must be a number, or fit"),
        ({"best": "fit", "scale": "difference"}, "goes with direction lower and scale log"),
        ({"direction": "higher"}, "needs task.outcome.best"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(outcome: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        measure_of(grid(outcome))


def test_a_trained_study_may_be_compared_by_another_column() -> None:
    measure = measure_of({"outcome": {"column": "val_loss", "unit": "nats"}})
    assert measure.axis == "loss (nats)"
    raw = measure_of({"outcome": {"scale": "difference", "unit": "fraction"}})
    assert raw.gap_axis == "difference in error (pp)"
    with pytest.raises(InputError, match=r"outcome\.column=speed"):
        measure_of({"outcome": {"column": "speed"}})


def made(outcome: dict, **own: object) -> list:
    rows = [
        {"config_id": f"{d}-{w}-{s}", "seed": seed, "depth": d, "width": w, "resolution": 1,
         "epochs": s, "n_val": None, "flops": 1e6 * d * w, "task.settings.heads": w,
         "val_error": 3.0 - 0.2 * math.log(d) - 0.1 * math.log(w) + 0.01 * seed}
        for s in (100, 400) for d, w in SHAPES for seed in range(3)
    ]  # fmt: skip
    return with_comparison_settings(rows, {**grid(outcome), **own})


def test_raw_differences_are_those_of_the_means() -> None:
    cells = StudyCells.of(made({"name": "loss", "unit": "nats", "scale": "difference"}))
    pairs, noise = cells.pairs(400, "flops"), cells.noise(400)
    assert noise is not None
    gap = gap_of(pairs, noise, Estimand("flops"), 0.05, 1.2)
    # By 0.1 per ln(FLOPs), over ln(FLOPs) from the base to four times it.
    assert gap.estimate == pytest.approx(0.1 * math.log(4) / 2, rel=0.02)
    weights = np.array([*gap.weights.values()])
    # Seeds have 0, 0.01 and 0.02: a variance of 1e-4, a third of that for means.
    assert gap.se**2 == pytest.approx(float(weights @ weights) * 1e-4 / 3, rel=1e-6)
    assert phrases.relative_error(gap).endswith(" nats")
    assert "%" not in phrases.relative_error(gap)


def test_raw_differences_need_a_margin_of_their_own() -> None:
    raw = {"name": "loss", "unit": "nats", "scale": "difference"}
    with pytest.raises(InputError, match=r"rules\.margin: must be declared .* in nats"):
        load_rules(None, grid(raw))
    rules = load_rules(None, grid(raw, rules={"margin": 2}))
    assert rules.margin == 2
    assert rules.rules[0].claim.startswith("depth scaling has lower loss than width scaling")


def test_arms_may_be_any_two_axes_also_those_of_the_grid_alone() -> None:
    own = {"axes": {"task.settings.heads": [1, 2, 4]}, "rules": {"arms": ["depth", "heads"]}}
    rules = load_rules(None, {**grid(LOSS), **own})
    assert rules.arms == ("depth", "task.settings.heads")
    assert rules.rules[0].claim.startswith("depth scaling has lower loss than heads scaling")
    cells = StudyCells(cells_of(made({"name": "loss", "unit": "nats"}, **own)), arms=rules.arms)
    alike = StudyCells([c for c in cells if c.width == 1], arms=rules.arms)
    assert alike.base() == {"depth": 1.0, "task.settings.heads": 1.0}
    with pytest.raises(InputError, match="known: heads, depth, width"):
        load_rules(None, {**grid(LOSS), **own, "rules": {"arms": ["depth", "head"]}})
