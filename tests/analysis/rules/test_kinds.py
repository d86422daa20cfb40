"""Kinds of rules beyond two arms in one regime, planned looks, families of claims."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from analysis.descriptions.base_sensitivity import bases
from analysis.descriptions.depth_width_map import depth_width_map
from analysis.descriptions.overfitting import slopes
from analysis.laws.error_surface import reach
from analysis.published.tables import depth_width_table, figure_2_cells
from analysis.rules.confounders import differences, sides_of
from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.kinds.arms import as_sample
from analysis.rules.kinds.interaction import difference
from analysis.rules.kinds.regret import regret
from analysis.rules.planned import planned_cells
from analysis.rules.preregistration import load_rules
from analysis.rules.simulate import chances
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict, holm, holm_adjusted
from analysis.stats.sequential import critical_values, inflation, spent
from analysis.study.noise import noise_of
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.analysis_data import DEPTHS, WIDTHS, run, runs, write_study
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_study

PRIOR = {"rules": {"seed_sd": "prior"}}


@pytest.fixture(scope="module")
def paper():
    return StudyCells.of(depth_width_table().rows)


def test_regret_of_choosing_by_ten_epochs_in_figure_3(paper):
    found = regret(Evidence(paper, load_rules(None, PRIOR)), "step_time_s")
    assert Evidence(paper, load_rules(None, PRIOR)).regimes() == (10, 350)
    percent = [100 * value for value in found.by_pair.values()]
    assert percent == pytest.approx([0.25, 0.26, 0.46, 0.73], abs=0.01)
    assert np.mean(percent) == pytest.approx(0.42, abs=0.05)
    assert found.regret.low > 0
    assert found.flip_share > 0.8
    assert list(found.ranks.values()) == pytest.approx([0.28, 0.20, 0.28, -0.20], abs=0.005)


def test_regret_is_zero_where_both_regimes_agree(paper):
    same = [replace(c, epochs=350) for c in paper if c.epochs == 350]
    copy = [replace(c, epochs=10, config_id=f"{c.config_id}-copy") for c in same]
    found = regret(Evidence(StudyCells(same + copy), load_rules(None, PRIOR)), "step_time_s")
    assert list(found.by_pair.values()) == pytest.approx([0] * 4)
    assert found.flip_share == 0


def test_regret_by_brute_force():
    """Two straight arms that cross: choosing the wrong one costs what a fine grid says."""
    rows = []
    for epochs, tilt in ((4, -1), (24, 1)):
        for depth, width in (*DEPTHS, *WIDTHS):
            base = run(depth, width, epochs, 0, 0.5)
            error = 0.5 * (base.flops / 1e7) ** (-0.1 - 0.03 * tilt * (1 if width > 0.25 else -1))
            rows += [
                vars(replace(base, val_error=error + d, seed=s))
                for s, d in enumerate((-1e-4, 1e-4))
            ]
    cells = StudyCells.of(rows)
    found = regret(Evidence(cells, load_rules(None, {})), "flops")
    long = {(c.depth, c.width): c for c in cells if c.epochs == 24}
    arms = [sorted(a, key=lambda k: long[k].cost("flops")) for a in (DEPTHS, (DEPTHS[0], *WIDTHS))]
    x = [np.log([long[k].cost("flops") for k in arm]) for arm in arms]
    y = [np.log([long[k].error for k in arm]) for arm in arms]
    grid = np.linspace(max(a[0] for a in x), min(a[-1] for a in x), 4001)
    deep, wide = (np.exp(np.interp(grid, a, b)) for a, b in zip(x, y, strict=True))
    # The short regime tilts the other way, so it always picks the arm that is worse in the long.
    expected = np.mean(np.maximum(deep, wide) - np.minimum(deep, wide))
    assert next(iter(found.by_pair.values())) == pytest.approx(expected, rel=0.1)


def test_interaction_is_the_difference_of_the_regimes(paper):
    rules = load_rules(None, PRIOR)
    study = Evidence(paper, rules)
    long, short = (study.gap_at(e, Estimand("step_time_s"))[0] for e in (350, 10))
    both = difference(long, short, rules.alpha)
    assert both.estimate == pytest.approx(long.estimate - short.estimate)
    assert both.se == pytest.approx(math.hypot(long.se, short.se))
    assert set(both.weights) == set(long.weights) | set(short.weights)
    half = difference(replace(long, df=5), replace(short, df=5, se=long.se), rules.alpha)
    assert half.df == pytest.approx(10)


def test_settings_as_a_random_sample(paper):
    mean, low, high = as_sample(
        Evidence(paper, load_rules(None, PRIOR)), 350, Estimand("step_time_s")
    )
    each = [0.0208, 0.0152, 0.0287, 0.0477]
    half = 3.182 * np.std(each, ddof=1) / 2
    assert mean == pytest.approx(np.mean(each), abs=0.002)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_a_rule_of_ones_own_on_other_axes_and_costs(tmp_path):
    grid = (
        "rules: {rules: {mine: {kind: arms, arms: [resolution, width], cost: train_flops, sign: 1,"
        " regime: longest, margin: 0.01, claim: resolution beats width}}}\n"
    )
    results = []
    for epochs in (4, 24):
        for seed in range(3):
            for width, side in ((0.25, 32), (0.5, 32), (1.0, 32), (0.25, 64), (0.25, 96)):
                flops = round(1e6 * (4 * width) ** 2 * (side / 32) ** 2)
                error = 0.5 * (flops / 1e6) ** -0.1 * (0.9 if side > 32 else 1.0)
                error += 0.001 * math.sin(17 * seed + side + 10 * width)
                results.append(
                    replace(
                        run(14, width, epochs, seed, error),
                        run_id=f"w{width}-r{side}-e{epochs}-s{seed}",
                        config_id=f"w{width}-r{side}-e{epochs}",
                        resolution=side,
                        flops=flops,
                        train_flops=flops * epochs,
                    )
                )
    study = read_study(write_study(tmp_path, results, grid))
    table, rules = table_of(study, {}), load_rules(None, study.grid)
    found = {j.rule.name: j for j in judge(table, StudyCells.of(table.rows), rules)}
    assert found["mine"].verdict.value == "supported"
    assert 0.05 < found["mine"].gap.estimate < 0.12
    assert found["R1-long"].verdict.value == "not_testable"


def test_holm_by_the_book():
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([]) == []


def test_a_headline_that_holms_correction_does_not_leave_is_lowered():
    family = {
        "a": Verdict("supported", "", p_supported=0.001, p_refuted=0.999),
        "b": Verdict("supported", "", p_supported=0.02, p_refuted=0.98),
        "c": Verdict("inconclusive", "", p_supported=0.2, p_refuted=0.8),
        "d": Verdict("not_testable", ""),
    }
    found = holm(family, 0.05)
    assert found["a"].value == "supported"
    assert found["a"].p_holm == pytest.approx(0.003)
    assert found["b"].value == "inconclusive"
    assert found["b"].reason == "supported by itself, but not among 3 headline claims"
    assert "d" not in found


def test_critical_values_of_planned_looks_spend_the_level():
    z = critical_values((2, 3, 5), 0.05)
    assert z == pytest.approx([2.2239, 2.3674, 2.2672], abs=2e-4)
    rng = np.random.default_rng(4)
    steps = rng.standard_normal((400_000, 5)).cumsum(axis=1)
    crossed = np.abs(steps[:, [1, 2, 4]]) / np.sqrt([2, 3, 5]) > z
    first = [
        crossed[:, 0],
        ~crossed[:, 0] & crossed[:, 1],
        ~crossed[:, :2].any(axis=1) & crossed[:, 2],
    ]
    levels = [spent(n / 5, 0.05) for n in (0, 2, 3, 5)]
    for share, (before, after) in zip(first, pairwise(levels), strict=True):
        assert share.mean() == pytest.approx(after - before, abs=0.001)
    assert critical_values((4,), 0.05) == pytest.approx([norm.isf(0.025)])


def test_planned_looks_widen_the_interval(tmp_path):
    study = read_study(write_study(tmp_path, runs({4: -0.1, 24: 0.1}, seeds=2)))
    cells = StudyCells.of(table_of(study, {}).rows)
    once, often = (
        Evidence(cells, load_rules(None, {"rules": rules})).gap_at(24, Estimand("flops"))[0]
        for rules in ({}, {"looks": [2, 3, 5]})
    )
    assert often.high - often.estimate == pytest.approx(
        inflation((2, 3, 5), 2, 0.05) * (once.high - once.estimate)
    )
    with pytest.raises(ValueError, match="must rise"):
        critical_values((3, 2), 0.05)


def test_simulated_studies_agree_with_the_verdicts_level():
    rows = [
        {"config_id": f"{d} {w} {e}", "depth": d, "width": w, "resolution": 32, "epochs": e,
         "seed": s, "n_val": 2000, "flops": run(d, w, e, s, 0.5).flops}
        for d, w in (*DEPTHS, *WIDTHS) for e in (4, 24) for s in range(3)
    ]  # fmt: skip
    rules = load_rules(None, {})
    rule = rules.rules[0]
    cells = planned_cells(rows, {}, rules.base)
    at_margin = chances(cells, rules, rule, 24, effect=rule.margin, seed_sd=0.004, seeds=3)
    assert at_margin["supported"] == pytest.approx(0.025, abs=0.01)
    none, large = (
        chances(cells, rules, rule, 24, effect=e, seed_sd=0.004, seeds=3) for e in (0.0, 0.1)
    )
    assert none["supported"] < 0.02
    assert large["supported"] > 0.99
    assert sum(none.values()) == pytest.approx(1)


def test_what_differs_beside_the_axes_is_named():
    rows = [vars(r) for r in runs({4: 0.1, 24: 0.1}, seeds=2)]
    assert differences(rows) == []
    odd = [
        dict(row, git_commit="abc") if row["width"] > 0.25 and row["epochs"] == 4 else row
        for row in rows
    ]
    assert differences(odd) == ["git_commit: None, abc at 4 epochs; None at 24 epochs"]
    # The base, which both arms have, is as narrow as the depth arm.
    assert differences(odd, (), sides_of(StudyCells.of(odd), load_rules(None, {}))) == [
        "git_commit: depth arm None, width arm None, abc at 4 epochs; None at 24 epochs"
    ]
    assert differences(rows[:-1]) == ["24 epochs: between 1 and 2 seeds per cell"]


def test_overfitting_slopes_of_a_known_gap():
    rows = []
    for result in runs({4: 0.0, 24: 0.0}, seeds=3):
        gap = 0.02 * math.log(result.flops / 1e7) + 0.0005 * result.seed
        rows.append(vars(replace(result, train_error=result.val_error - gap)))
    found = slopes(StudyCells.of(rows), load_rules(None, {"rules": {"cost": "flops"}}))
    assert {(r["epochs"], r["arm"]) for r in found} == {
        (e, a) for e in (4, 24) for a in ("depth", "width")
    }
    for record in found:
        assert record["slope"] == pytest.approx(0.02, abs=1e-9)
        assert record["low"] < 0.02 < record["high"]


def test_the_regime_map_of_figure_3(paper):
    base = {"depth": 101, "width": 1.0}
    found = depth_width_map(paper, load_rules(None, PRIOR), base)
    assert found.n == 69
    assert found.residual_sd == pytest.approx(0.012, abs=0.001)
    assert list(found.crossovers) == [128, 160, 224, 320]
    assert list(found.crossovers.values()) == pytest.approx([137, 69, 38, 26], rel=0.06)
    by_length = {round(r["epochs"]): [] for r in found.records}
    for record in found.records:
        if record["multiplier"] != found.multiplier:
            continue
        by_length[round(record["epochs"])].append(record["p_depth"])
    assert max(by_length[10]) <= 0.01
    assert by_length[350] == pytest.approx([0.91, 1, 1, 1], abs=0.01)
    for resolution, (low, high) in found.intervals.items():
        at = found.crossovers[resolution]
        assert low < at
        assert high is None or at < high
    assert found.intervals[128][1] is None  # no length that was studied is surely long enough
    # Arms reach 2.4 times the base's cost along width, at every length and resolution.
    inside = {r["multiplier"] for r in found.records if r["inside"]}
    outside = {r["multiplier"] for r in found.records if not r["inside"]}
    assert max(inside) == pytest.approx(2.4, abs=0.2)
    assert min(outside) > max(inside)
    assert found.accuracy >= 0.5
    assert 0 <= found.brier < 0.25
    with pytest.raises(InputError, match="three of them"):
        depth_width_map(paper.regime(10), load_rules(None, PRIOR), base)


def test_the_reach_along_an_axis_ends_at_the_hull():
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert reach(triangle, np.array([0.0, 0.0]), 0) == pytest.approx(2)
    assert reach(triangle, np.array([0.0, 0.5]), 0) == pytest.approx(1)
    assert reach(triangle, np.array([0.0, 0.5]), 1) == pytest.approx(0.5)
    assert reach(triangle, np.array([2.0, 1.0]), 0) == 0


def test_depth_against_width_from_every_base_of_figure_2():
    cells = figure_2_cells()
    found = bases(cells, load_rules(None, {}), 350, "flops", noise_of(cells))
    assert 64 <= len(found.records) <= 70
    assert found.mean == pytest.approx(0.014, abs=0.003)
    assert found.sd == pytest.approx(0.0285, abs=0.002)
    assert found.positive == pytest.approx(0.63, abs=0.03)
    # The rule holds from a base of standard width, and much less from narrow ones.
    by_width = found.by_width()
    assert by_width[1.0] == pytest.approx(0.032, abs=0.003)
    assert by_width[0.5] < by_width[1.0] / 3
