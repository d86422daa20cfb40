"""Verdicts on lengths of one trunk: refused until its anchors are shown to be equivalent."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration.runner import MOST_WRONG, lower

from analysis.descriptions.depth_width_map import depth_width_map
from analysis.descriptions.elasticities import elasticities
from analysis.descriptions.main_effects import main_effects
from analysis.gating.groups import group_of
from analysis.laws.recommend.choose import recommend
from analysis.report.command import table_and_rules
from analysis.rules.check_grid import check
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.trunk_equivalence import largest_sd, trunk_equivalence
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from helpers.planned_study import finish, planned
from helpers.study import read_plan
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig

ENDS = [{"depth": 14, "width": 0.125, "epochs": epochs} for epochs in (2, 5)]
GRID: dict[str, Any] = {
    "name": "g",
    "axes": {"epochs": [2, 5], "seed": [0, 1, 2]},
    "points": [{"depth": d, "width": w} for d, w in ((14, 0.125), (26, 0.125), (14, 0.25))],
    "one_trunk": {"anchors": ENDS, "margin": 0.1},
    "rules": {"cost": "flops", "min_overlap": 1.0},
}
WSD = {"schedule": "wsd", "epochs": 2}
REFUSED = "not judged, because trunks are not shown to end as cosine training does, within 10 %: "


def errors(noise: float, by_cosine: float = 0.0) -> Callable[[RunConfig], float]:
    """An error with `noise` (SD of its logarithm), that of a trunk's seed among it."""

    def of(run: RunConfig) -> float:
        key = run.random_key if run.train.one_trunk else run.run_id
        shared, own = (np.random.default_rng(zlib.crc32(k.encode())) for k in (key, run.run_id))
        mood = noise * (0.8 * shared.standard_normal() + 0.6 * own.standard_normal())
        size = run.model.depth / 14 * run.model.width / 0.125  # type: ignore[attr-defined]
        cosine = by_cosine * (run.train.schedule == "cosine")
        return float(0.4 * size**-0.2 * run.train.epochs**-0.1 * np.exp(mood + cosine))

    return of


def study(execution: ExecutionConfig, error: Callable[[RunConfig], float], **grid: Any) -> Path:
    folder, rows = planned(execution, GRID | grid, train=WSD)
    for row in rows:
        finish(folder, row.run, error(row.run))
    return folder


def judged(folder: Path) -> dict[str, Judgement]:
    table, rules = table_and_rules(folder)
    found = judge(table, table.cells(rules.base, rules.arms), rules)
    return {j.rule.name: j for j in found}


def test_rules_are_judged_where_anchors_are_equivalent(
    execution: ExecutionConfig,
) -> None:
    folder = study(execution, errors(0.01))
    table, rules = table_and_rules(folder)
    assert rules.exploratory == ""
    assert (len(table.rows), len(table.by_cosine), len(table.by_trunk)) == (18, 6, 6)
    cells = table.cells(rules.base, rules.arms)
    assert len(cells) == 6
    assert len({c.trunk for c in cells}) == 3
    found = judged(folder)
    long, apart = found["R1-long"], found["R1-interaction"]
    assert long.gap is not None
    (note,) = (n for n in long.notes if n.startswith("trunks end as cosine training does, within"))
    assert "10 %: relative error " in note
    assert note.count("at d14-w0.125-r16-e") == 2
    assert any(n.startswith("lengths of one trunk scatter together") for n in apart.notes)
    assert not any("scatter together" in n for n in long.notes)
    # What takes lengths as independent is not computed, or of one length.
    assert elasticities(cells, rules)["reason"].startswith("lengths that share trunks")
    with pytest.raises(InputError, match="lengths that share trunks"):
        depth_width_map(cells, rules, cells.base())
    with pytest.raises(InputError, match=r"--epochs 3: lengths that share .* give one of \[2, 5\]"):
        recommend(cells, {"flops": 1e9}, steps_per_epoch=8, epochs=3)
    with pytest.raises(InputError, match="its lengths share trunks, and are no independent runs"):
        group_of(str(folder), None)
    # The mean over three trunks of what a longer training does, with and without what they share.
    (longer,) = (r for r in main_effects(cells, rules) if r["axis"] == "epochs")
    alone = StudyCells([replace(cell, trunk=None) for cell in cells])
    (apart_alone,) = (r for r in main_effects(alone, rules) if r["axis"] == "epochs")
    assert longer["estimate"] == apart_alone["estimate"]
    assert longer["high"] != apart_alone["high"]


@pytest.mark.parametrize(
    ("noise", "by_cosine", "why"),
    [
        (0.01, 0.3, "at d14-w0.125-r16-e2 the relative error is -"),  # another end than cosine's
        (0.2, 0.0, "at d14-w0.125-r16-e"),  # too noisy to tell
    ],
)
def test_without_equivalence_no_rule_is_judged(
    execution: ExecutionConfig, noise: float, by_cosine: float, why: str
) -> None:
    found = judged(study(execution, errors(noise, by_cosine)))
    assert {j.verdict.value for j in found.values()} == {"not_testable"}
    assert found["R1"].verdict.reason == "R1-long, R1-short could not be tested"
    (reason,) = {j.verdict.reason for name, j in found.items() if name != "R1"}
    assert reason.startswith(f"{REFUSED}{why}")
    assert reason.endswith("]")


def test_an_anchor_without_its_run_is_named(execution: ExecutionConfig) -> None:
    folder = study(execution, errors(0.01))
    rows = read_plan(folder)
    lost = [row for row in rows if row["anchor"] and row["epochs"] == "5"]
    for row in lost[1:]:
        (folder.parent / "runs" / row["run_id"] / "result.json").unlink()
    table, rules = table_and_rules(folder)
    assert table.missing == 2
    (first, *_) = judge(table, table.cells(rules.base, rules.arms), rules)
    assert "relative error is" not in first.verdict.reason  # one seed, whose noise is that of all
    file = folder.parent / "runs" / lost[0]["run_id"] / "result.json"
    file.write_text(file.read_text().replace('"status": "ok"', '"status": "diverged"'))
    reasons = {j.verdict.reason for name, j in judged(folder).items() if name != "R1"}
    assert reasons == {f"{REFUSED}no run by cosine of d14-w0.125-r16-e5 can be analysed"}


@pytest.mark.parametrize("difference", [0.1, 0.0])
def test_equivalence_is_shown_as_often_as_it_says(difference: float) -> None:
    """At a true difference of the margin at its level, without any with the planned power."""
    prereg, studies, shown = load_rules(None, GRID), 300, 0
    rng, sd = np.random.default_rng(7), largest_sd(0.1, 4, 0.05)
    for _ in range(studies):
        rows = list[dict[str, Any]]()
        for depth in (14, 26, 38):
            mood = rng.normal(0, 0.8 * sd, 4)
            for epochs in (2, 5):
                values = 0.3 * np.exp(mood + rng.normal(0, 0.6 * sd, 4))
                rows += made(f"t{depth}-{epochs}", depth, epochs, values, trunk=f"t{depth}")
        alone = 0.3 * np.exp(difference + rng.normal(0, sd, 4))
        by_cosine = made("c", 14, 5, alone, anchor="t14-5")
        by_trunk = [row for row in rows if row["config_id"] == "t14-5"]
        table = Table("t", tuple(rows), (), {}, None, grid=GRID)
        table = replace(table, by_cosine=tuple(by_cosine), by_trunk=tuple(by_trunk))
        shown += not trunk_equivalence(table, StudyCells.of(rows), prereg).refused
    if difference:
        assert lower(shown, studies, 0.995) <= MOST_WRONG
    else:
        assert 0.7 <= shown / studies <= 0.9


def made(name: str, depth: int, epochs: int, values: Any, **more: str) -> list[dict[str, Any]]:
    shared = {"config_id": name, "depth": depth, "epochs": epochs, "flops": 1e6 * depth, **more}
    return [
        {**shared, "width": 0.25, "resolution": 16, "seed": seed, "val_error": float(value)}
        for seed, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        (
            {"rules": {"rules": {"R1-interaction": {"tuned": "lr"}}}},
            "rules.rules.R1-interaction.tuned: lengths of one trunk scatter together",
        ),
        ({"outcome": {"best": "fit"}}, "outcome.best=fit: lengths of one trunk are no independent"),
    ],
)
def test_what_takes_lengths_as_independent_is_refused_at_planning(
    tmp_path: Path, grid: dict[str, Any], why: str
) -> None:
    check(tmp_path, {**GRID, "rules": {"rules": {"R1-long": {"tuned": "lr"}}}}, lambda name: set())
    with pytest.raises(InputError, match=why):
        check(tmp_path, {**GRID, **grid}, lambda name: set())
