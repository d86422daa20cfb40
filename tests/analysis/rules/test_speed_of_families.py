"""Two families of one study at equal accuracy: the rule, its refusals, and its picture."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.figures.drawing.family_plot import families
from analysis.figures.drawing.style import style
from analysis.figures.family_records import family_records
from analysis.figures.law_records import study_law_rows
from analysis.laws.study_fits import study_fits
from analysis.rules.confounders import differences
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import line, sentence
from analysis.stats import speedup
from analysis.stats.speedup import Family, inverse_frontier, mean_log_ratio, speedup_of
from analysis.study.compared_settings import compared, with_comparison_settings
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table, table_of
from helpers.figure_text import check, words
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.common.errors import InputError
from scaling_study.study.measured import keep_measured
from scaling_study.study.table import read_study

RULE = {
    "kind": "speed",
    "along": "variant",
    "levels": ["fast", "slow"],
    "claim": "fast networks take less time at equal accuracy",
}
GRID: dict[str, Any] = {
    "blocks": [
        {"model": "one", "variants": {"independent": {"fast": {}}}},
        {"model": "other", "variants": {"independent": {"slow": {}}}},
    ],
    "rules": {"rules": {"time": RULE, "work": RULE | {"cost": "flops"}}},
}
# Errors of a family fall with this power of its costs; the slow one takes so many times as long.
POWER, FACTOR, SEEDS = 0.3, 1.6, 3
COSTS = {"fast": (1e6, 2e6, 4e6, 8e6), "slow": (1.1e6, 2.5e6, 6e6, 12e6)}


def rows(
    factor: float = FACTOR, sd: float = 0.0, costs: dict[str, tuple[float, ...]] | None = None
) -> list[dict[str, Any]]:
    """Runs of both families; FLOPs buy the same accuracy in either, times do not."""
    rng, found = np.random.default_rng(3), []
    for family, sizes in (costs or COSTS).items():
        for depth, flops in enumerate(sizes, 1):
            error = 0.4 * (flops / 1e6) ** -POWER
            time = 1e-8 * flops * (factor if family == "slow" else 1.0)
            found += [
                {"config_id": f"{family}{depth}", "run_id": f"{family}{depth}-s{seed}",
                 "seed": seed, "depth": depth, "width": 1.0, "resolution": 16, "epochs": 8,
                 "variant": family, "family": family, "flops": flops, "step_time_s": time,
                 "n_val": 4000, "n_train": 640, "status": "ok",
                 "val_error": error * (1 + sd * rng.standard_normal())}
                for seed in range(SEEDS)
            ]  # fmt: skip
    return with_comparison_settings(found, GRID)


def judged(made: list[dict[str, Any]]) -> tuple[StudyCells, dict[str, Judgement]]:
    cells, prereg = StudyCells.of(made), load_rules(None, GRID)
    table = Table("demo", tuple(made), (), {}, 16)
    return cells, {j.rule.name: j for j in judge(table, cells, prereg)}


def test_the_factor_is_found_at_each_cost() -> None:
    _, found = judged(rows(sd=1e-4))
    time, work = found["time"], found["work"]
    assert time.gap is not None
    assert work.gap is not None
    # Straight lines on logarithmic axes are the truth here.
    assert time.gap.estimate == pytest.approx(FACTOR - 1, rel=2e-3)
    assert work.gap.estimate == pytest.approx(0, abs=2e-3)
    assert (time.verdict.value, time.epochs) == ("supported", 8)
    assert work.verdict.value != "supported"
    said = "Fast networks take less time at equal accuracy: by a factor of 1.60 "
    assert sentence(time).startswith(said)
    assert " in step time; supported. At equal FLOPs: refuted" in sentence(time)
    assert "1.60 to 1.60, over " in " ".join(time.notes)
    assert "less one" in line(time, load_rules(None, GRID))


def test_the_other_way_round_it_is_refuted_and_the_factor_inverse() -> None:
    changed = {**GRID, "rules": {"rules": {"time": RULE | {"levels": ["slow", "fast"]}}}}
    made = rows(sd=1e-4)
    table = Table("demo", tuple(made), (), {}, 16)
    found = judge(table, StudyCells.of(made), load_rules(None, changed))
    (j,) = (one for one in found if one.rule.name == "time")
    assert j.gap is not None
    assert j.gap.estimate + 1 == pytest.approx(1 / FACTOR, rel=2e-3)
    assert j.verdict.value == "refuted"


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        ({"fast": (1e6,), "slow": (1e6, 2e6)}, "fast has 1 configuration; a frontier takes 2"),
        ({"fast": (1e6, 2e6), "slow": (4e6, 8e6)}, "share no range of accuracy"),
    ],
)
def test_families_that_cannot_be_compared(costs: dict[str, tuple[float, ...]], reason: str) -> None:
    j = judged(rows(costs=costs, sd=1e-4))[1]["time"]
    assert j.verdict.value == "not_testable"
    assert reason in j.verdict.reason


def test_a_time_that_was_not_measured_is_named() -> None:
    made = [{**row, "step_time_s": None} for row in rows(sd=1e-4)]
    assert "no step time was measured" in judged(made)[1]["time"].verdict.reason


def test_without_families_the_packaged_rule_asks_for_two() -> None:
    j = judged(rows(sd=1e-4))[1]["R5"]
    assert j.verdict.value == "not_testable"
    assert "names no two families" in j.verdict.reason


def test_families_have_no_law_together() -> None:
    sizes = {name: tuple(np.geomspace(1e6, 9e6, 6) * (1 + 0.1 * i)) for i, name in enumerate(COSTS)}
    cells, found = judged(rows(sd=1e-4, costs=sizes))
    assert "families have a law each" in found["R3"].verdict.reason
    assert {r["reason"] for r in study_fits(cells, "flops")} == {
        "fast and slow: families have a law each, not one together"
    }
    assert study_law_rows(cells) == []
    alone = cells.select(lambda cell: cell.family == "fast")
    assert "families" not in study_fits(alone, "flops")[0].get("reason", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": ["fast"]}, "levels: .* must be two different values of variant"),
        ({"along": None}, "along: None must name an axis"),
        ({"arms": ["depth", "width"]}, "arms"),
    ],
)
def test_a_rule_that_names_families_wrongly(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_rules(None, {**GRID, "rules": {"rules": {"time": RULE | change}}})


def test_what_the_files_of_blocks_change_is_compared_on_purpose() -> None:
    assert compared(GRID) == {"model"}
    made = [{**row, "model.stem": row["variant"], "lr": 0.1} for row in rows()]
    assert differences(made, compared(GRID)) == []
    assert differences(made) == ["family: fast, slow", "model.stem: fast, slow"]
    other = [{**row, "lr": 0.1 if row["variant"] == "fast" else 0.2} for row in made]
    assert differences(other, {"model"}) == ["lr: 0.1 to 0.2"]
    assert differences(other, {"model", "train"}) == []


def test_the_figure_has_a_panel_per_cost_and_every_configuration() -> None:
    cells, found = judged(rows(sd=0.02))
    records = family_records(cells, [*found.values()])
    assert [(r["cost_axis"], r["family"]) for r in records] == [
        (cost, family) for cost in ("step_time_s", "flops") for family in COSTS for _ in range(4)
    ]
    assert all(r["error_low"] < r["error"] < r["error_high"] for r in records)
    with style():
        figure = families(records)
        FigureCanvasAgg(figure)
        check(figure)
    assert {"step time", "FLOPs", "fast", "slow"} <= {*words(figure)}


def test_forward_times_come_from_exclusive_measurements(tmp_path) -> None:
    results = runs({4: 0.0})
    study = write_study(tmp_path, results)
    for result in {r.config_id: r for r in results}.values():
        row = {"device": result.device, "threads": result.threads, "shape": result.config_id,
               "config_ids": result.config_id, "measurements": 4, "step_time_s": 0.2,
               "step_time_log_sd": 0.02, "inference_time_s": result.flops * 1e-9,
               "inference_time_log_sd": 0.06}  # fmt: skip
        keep_measured([row], study)
    for cell in StudyCells.of(table_of(read_study(study), {}).rows):
        assert cell.cost("inference_time_s") == pytest.approx(cell.costs["flops"][0] * 1e-9)
        assert cell.cost_log_se("inference_time_s") == pytest.approx(0.03)
        assert cell.cost_log_se("step_time_s") == pytest.approx(0.01)
        assert cell.cost_log_se("flops") == 0


def a_family(
    rng: np.random.Generator, cost: np.ndarray, error: np.ndarray, sd: float, timing: float
) -> Family:
    """What three seeds a model and one timing each make of a family."""
    seen = error[:, None] * (1 + sd * rng.standard_normal((error.size, SEEDS)))
    pooled = math.sqrt(seen.var(axis=1, ddof=1).mean() / SEEDS)
    zeros, each = np.zeros(cost.size), np.ones(cost.size)
    measured = cost * np.exp(timing * rng.standard_normal(cost.size))
    return Family(
        tuple(map(str, cost)), measured, seen.mean(axis=1), zeros, zeros, pooled * each,
        float(cost.size * (SEEDS - 1)), timing * each,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("models", "sd", "timing"), [(4, 0.03, 0.02), (3, 0.06, 0.02), (6, 0.01, 0.05)]
)
def test_intervals_hold_the_true_factor(
    models: int, sd: float, timing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated families with a known factor; of 100 intervals of 95 % at least 89 hold it."""
    monkeypatch.setattr(speedup, "DRAWS", 300)
    rng = np.random.default_rng(11)
    costs = np.geomspace(1, 6, models), np.geomspace(1.2, 8, models)
    errors = 0.4 * costs[0] ** -POWER, 0.4 * (costs[1] / FACTOR) ** -POWER
    curves = [inverse_frontier(c, e) for c, e in zip(costs, errors, strict=True)]
    truth = math.exp(mean_log_ratio(curves[0], curves[1]))
    held = 0
    for _ in range(100):
        a, b = (a_family(rng, c, e, sd, timing) for c, e in zip(costs, errors, strict=True))
        found = speedup_of(a, b)
        held += found.mean_low <= truth <= found.mean_high
    assert held >= 89
    wide, narrow = speedup_of(a, b, 0.99), speedup_of(a, replace(b, error_sd=0 * b.error_sd), 0.8)
    assert wide.mean_low < found.mean_low < narrow.mean_low
