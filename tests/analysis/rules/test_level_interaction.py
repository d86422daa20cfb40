"""How the difference of two levels depends on another setting, and its picture."""

import math
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

from analysis.figures.drawing.interaction_plot import interactions
from analysis.figures.drawing.style import style
from analysis.figures.interaction_records import interaction_records
from analysis.rules.design_analysis import decidable, sufficient_cells
from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.wording import line, sentence
from analysis.stats.contrast import Estimand
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from helpers.figure_text import check, words
from scaling_study.common.errors import InputError

DECAYS = (5e-4, 2e-3)
VARIANTS = ("plain", "regularised")
RULE = {
    "kind": "level_interaction",
    "along": "train.weight_decay",
    "levels": [*DECAYS],
    "by": "variant",
    "between": ["regularised", "plain"],
    "claim": "regularised networks want less weight decay",
}
GRID: dict[str, Any] = {
    "axes": {"train.weight_decay": [*DECAYS], "depth": [14, 26], "seed": [0, 1, 2]},
    "variants": {"independent": {name: {} for name in VARIANTS}},
    "rules": {"cost": "flops", "rules": {"decay": RULE}},
}
# What the lesser decay gains in either variant, and the SD of a run.
GAINS, SD, SEEDS = {"plain": -0.04, "regularised": 0.06}, 0.004, 4


def rows(rng: np.random.Generator, gains: dict[str, float] | None = None) -> list[dict[str, Any]]:
    found = []
    for variant, gain in (gains or GAINS).items():
        for depth in (14, 26):
            for decay in DECAYS:
                error = (0.3 if depth == 14 else 0.25) * math.exp(-gain * (decay == DECAYS[0]))
                name = f"{variant}-{depth}-{decay}"
                found += [
                    {"config_id": name, "run_id": f"{name}-s{s}", "seed": s, "depth": depth,
                     "width": 0.25, "resolution": 16, "epochs": 8, "variant": variant,
                     "flops": 1e7, "n_val": 4000, "n_train": 640, "train.weight_decay": decay,
                     "status": "ok", "val_error": error + SD * rng.standard_normal()}
                    for s in range(SEEDS)
                ]  # fmt: skip
    return with_comparison_settings(found, GRID)


def judged(found: list[dict[str, Any]]) -> tuple[StudyCells, Judgement]:
    cells, prereg = StudyCells.of(found), load_rules(None, GRID)
    table = Table("demo", tuple(found), (), {}, 16)
    (one,) = (j for j in judge(table, cells, prereg) if j.rule.name == "decay")
    return cells, one


def test_the_effect_and_its_error_are_those_by_hand() -> None:
    made = rows(np.random.default_rng(1))
    _, j = judged(made)
    assert j.gap is not None
    total = variance = 0.0
    for row in {r["config_id"]: r for r in made}.values():
        errors = [r["val_error"] for r in made if r["config_id"] == row["config_id"]]
        sign = (-1) ** ((row["train.weight_decay"] == DECAYS[0]) + (row["variant"] == VARIANTS[0]))
        total += sign * math.log(np.mean(errors)) / 2
        variance += np.var(errors, ddof=1) / len(errors) / np.mean(errors) ** 2 / 4
    assert j.gap.estimate == pytest.approx(total, rel=1e-9)
    # The interval draws each cell's variance a little towards the pooled one.
    assert j.gap.se == pytest.approx(math.sqrt(variance), rel=0.15)
    half = float(stats.t.ppf(0.975, j.gap.df)) * j.gap.se
    assert (j.gap.low, j.gap.high) == pytest.approx((total - half, total + half))
    assert j.verdict.value == "supported"
    assert sentence(j).startswith("With regularised weight_decay 0.0005 gains ")
    assert "more on weight_decay 0.002 than with plain" in sentence(j)
    assert "regularised minus plain" in line(j, load_rules(None, GRID))


def test_it_is_wrong_as_seldom_as_declared() -> None:
    """At the margin 2.5 % of studies find an interaction; 95 % of intervals hold the truth."""
    rng, draws, margin, prereg = np.random.default_rng(20210313), 150, 0.005, load_rules(None, GRID)
    (rule,) = (r for r in prereg.rules if r.name == "decay")
    truth, kind = {"plain": 0.02, "regularised": 0.02 + margin}, find_kind(rule.kind)
    found = [
        kind.estimate(Evidence(StudyCells.of(rows(rng, truth)), prereg), rule, Estimand("flops"))
        for _ in range(draws)
    ]
    wrong = sum(one.verdict.value == "supported" for one in found)
    assert stats.binomtest(wrong, draws, 0.025, "greater").pvalue > 0.005, wrong
    covered = sum(one.gap.low <= margin <= one.gap.high for one in found if one.gap)
    assert stats.binomtest(covered, draws, 0.95, "less").pvalue > 0.005, covered


def test_a_plan_foresees_it_and_knows_the_cells_that_it_takes() -> None:
    made = [{k: v for k, v in r.items() if k != "val_error"} for r in rows(np.random.default_rng())]
    prereg = load_rules(None, GRID)
    power = {p.rule: p for p in decidable(made, prereg, {8: (0.27, SD)})}["decay"]
    assert power.se == pytest.approx(math.sqrt(8 * SD**2 / SEEDS) / 2 / 0.27)
    sets = dict(
        zip([r.name for r in prereg.rules], sufficient_cells(made, prereg, {}), strict=True)
    )
    sizes = [len(one) for one in sets["decay"]]
    assert sizes[0] == 4
    assert max(sizes) == 8
    (rule,) = (r for r in prereg.rules if r.name == "decay")
    kind, cells = find_kind(rule.kind), StudyCells.of(rows(np.random.default_rng(2)))
    sides = kind.sides(Evidence(cells, prereg), rule)
    assert {name: len(ids) for name, ids in sides.items()} == {
        "weight_decay 0.0005": 4,
        "weight_decay 0.002": 4,
    }
    assert kind.topic(rule, None) == (
        "whether weight_decay 0.0005 or weight_decay 0.002 depends on regularised or plain"
    )


def test_its_picture_has_a_line_a_level_and_the_test_in_the_title() -> None:
    cells, j = judged(rows(np.random.default_rng(1)))
    found = interaction_records(cells, load_rules(None, GRID), [j])
    assert [(r["level"], r["value"]) for r in found] == [
        (f"weight_decay {decay:g}", variant)
        for variant in ("regularised", "plain")
        for decay in DECAYS
    ]
    corner = [c.error for c in cells if dict(c.settings)["train.weight_decay"] == "0.0005"
              and c.variant == "plain"]  # fmt: skip
    (mean,) = (r for r in found if r["level"] == "weight_decay 0.0005" and r["value"] == "plain")
    assert mean["error"] == pytest.approx(math.sqrt(math.prod(corner)))
    assert mean["error_low"] < mean["error"] < mean["error_high"]
    with style():
        figure = interactions(found)
        FigureCanvasAgg(figure).draw()
        check(figure)
    said = " ".join(words(figure))
    assert "decay (supported)" in said
    assert re.search(r"\+[\d.]+ % \[[\d.]+, [\d.]+\]", said)
    (axes,) = figure.axes
    ends = [c.lines[0].get_ydata() for c in axes.containers]
    assert [len(y) for y in ends] == [2, 2]
    # Lines cross: the lesser decay is better with regularisation and worse without.
    assert (ends[0][0] < ends[1][0]) == (ends[0][1] > ends[1][1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": None}, r"decay\.by: None must name the setting"),
        ({"by": "train.weight_decay"}, r"decay\.by: 'train.weight_decay' must name the setting"),
        ({"between": ["plain"]}, r"decay\.between: \['plain'\] must be two different values"),
        ({"regime": "longest"}, r"decay: 'regime'; known"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_rules(None, {**GRID, "rules": {"rules": {"decay": RULE | change}}})
