"""Kinds of rules: regret, interaction, levels at random, a kind of one's own."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.rules.confounders import differences, sides_of, uneven_seeds
from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.kinds.arms import as_sample
from analysis.rules.kinds.regret import regret
from analysis.rules.planned import planned_cells
from analysis.rules.preregistration import load_rules
from analysis.rules.simulate import chances
from analysis.stats.contrast import Estimand
from analysis.stats.gap_difference import difference
from analysis.study.noise import Variance
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.made_up_results import DEPTHS, WIDTHS, run, runs
from helpers.priors import PRIOR
from helpers.study import write_study
from scaling_study.study.table import read_study


def test_regret_of_choosing_by_ten_epochs_in_figure_3(paper):
    found = regret(Evidence(paper, load_rules(None, PRIOR)), "step_time_s", 0.001)
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
    found = regret(Evidence(StudyCells(same + copy), load_rules(None, PRIOR)), "step_time_s", 0.001)
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
    found = regret(Evidence(cells, load_rules(None, {})), "flops", 0.001)
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
    # The prior of both regimes is off by one factor.
    assert both.assumed
    assert both.df == pytest.approx(min(long.df, short.df))
    assert set(both.weights) == set(long.weights) | set(short.weights)
    five = replace(long, errors=(Variance(long.se**2, 5.0),))
    assert difference(five, five, rules.alpha).df == pytest.approx(10)
    # A step time that moves both gaps alike does not move their difference.
    timed = replace(five, timing={"shape": 0.01}, timing_df=4.0)
    assert difference(timed, timed, rules.alpha).cost_se == 0
    assert difference(timed, five, rules.alpha).cost_se == pytest.approx(0.01)


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


def test_simulated_studies_have_the_planned_seeds_of_each_cell():
    def studies(deep: int, effect: float) -> dict[str, float]:
        rows = [
            {"config_id": f"{d} {w} {e}", "depth": d, "width": w, "resolution": 32, "epochs": e,
             "seed": s, "n_val": 2000, "flops": run(d, w, e, s, 0.5).flops}
            for d, w in (*DEPTHS, *WIDTHS) for e in (4, 24) for s in range(deep if d > 14 else 2)
        ]  # fmt: skip
        rules = load_rules(None, {})
        cells = planned_cells(rows, {}, rules.base)
        return chances(cells, rules, rules.rules[0], 24, effect=effect, seed_sd=0.004)

    # Intervals from two seeds are wider than they need to be; cells with more seeds decide more.
    assert 0 < studies(6, 0.005)["supported"] < 0.03
    assert studies(6, 0.03)["supported"] > studies(2, 0.03)["supported"] + 0.03


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
    assert uneven_seeds(rows) == []
    assert uneven_seeds(rows[:-1]) == ["seeds per cell: 2 at 4 epochs; 1 to 2 at 24 epochs"]
    lacking = [row for row in rows if row["seed"] == 0 or row["width"] > 0.25]
    assert uneven_seeds(lacking) == ["seeds per cell: 1 to 2"]
