"""One step time per network: pooled over regimes and seeds, or measured; what its drift adds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.kinds.interaction import KIND as INTERACTION
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import costs_disagree, lines, sentence
from analysis.stats.contrast import Estimand
from analysis.study.cells import cells_of
from analysis.study.measured_times import with_measured_times
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.common.errors import InputError
from scaling_study.study.measured import keep_measured
from scaling_study.study.table import read_study

COST = Estimand("step_time_s")
RULES = load_rules(None, {})


def timed(results, factor):
    """The results with step times multiplied by `factor` of each."""
    return [replace(r, step_time_s=r.step_time_s * factor(r)) for r in results]


def both_regimes(factor=lambda _: 1.0, seeds=3):
    """The rows of a study of two regimes without an effect."""
    return [vars(r) for r in timed(runs({4: 0.0, 24: 0.0}, seeds), factor)]


def test_a_network_has_one_step_time_in_all_regimes():
    cells = cells_of(both_regimes(lambda r: 1.21 if r.epochs == 4 else 1.0))
    times = {(c.depth, c.width): c.cost("step_time_s") for c in cells}
    for c in cells:
        assert c.cost("step_time_s") == times[c.depth, c.width]
        assert c.cost("step_time_s") == pytest.approx(c.costs["flops"][0] * 1e-9 * 1.1)


def test_the_error_of_a_step_time_by_hand():
    by_cell, rng = {}, np.random.default_rng(2)

    def drift(result):
        return math.exp(by_cell.setdefault(result.config_id, rng.normal(0, 0.1)))

    cells = cells_of(both_regimes(drift))
    half_differences = [
        (by_cell[c.config_id] - by_cell[c.config_id.replace("e4", "e24")]) / 2
        for c in cells
        if c.epochs == 4
    ]
    # Two cells a network: their variance is twice the square of half their difference.
    variance = np.mean([2 * d**2 for d in half_differences])
    for c in cells:
        assert c.step_time.log_se == pytest.approx(math.sqrt(variance / 2))
        assert c.step_time.df == 6


def test_seeds_count_where_no_network_is_in_two_regimes():
    factors = iter(np.exp(np.random.default_rng(3).normal(0, 0.1, 100)))
    rows = [row for row in both_regimes(lambda _: next(factors)) if row["epochs"] == 24]
    cells = cells_of(rows)
    variances = [np.var(np.log(c.costs["step_time_s"]), ddof=1) for c in cells]
    for c in cells:
        assert c.step_time.log_se == pytest.approx(math.sqrt(np.mean(variances) / 3))
        assert c.step_time.df == 12
        assert c.step_time.source == "seeds"


def test_drift_that_replicates_share_widens_the_interval_and_cancels_between_regimes():
    moods = np.random.default_rng(4).normal(0, 0.1, 100)
    keys = {}

    def drift(result):
        return math.exp(moods[keys.setdefault(result.config_id, len(keys))])

    calm, drifting = (
        Evidence(StudyCells.of(both_regimes(factor)), RULES) for factor in (lambda _: 1.0, drift)
    )
    long, quiet = (study.gap_at(24, COST)[0] for study in (drifting, calm))
    assert quiet.cost_se == 0
    assert long.cost_se > 0.005
    assert long.se == pytest.approx(math.hypot(long.cost_se, math.sqrt(long.errors[0][0])))
    (rule,) = (r for r in RULES.rules if r.name == "R1-interaction")
    both = INTERACTION.effect(drifting, rule, COST).gap
    # Both regimes are compared at the same step times, so most of their error cancels.
    assert both.cost_se < 0.3 * long.cost_se


def write_measured(study, results, **columns):
    """measured.csv as `measure` writes it: all regimes of a network are a row."""
    cells = {}
    for r in results:
        cells.setdefault((r.depth, r.width), {})[r.config_id] = r
    rows = [
        {
            "step_time_s": next(iter(some.values())).flops * 2e-9,
            **{name: getattr(next(iter(some.values())), name) for name in ("device", "threads")},
            "shape": f"d{depth}-w{width}",
            "config_ids": " ".join(some),
            **columns,
        }
        for (depth, width), some in cells.items()
    ]
    keep_measured(rows, study)


REPEATED = {"measurements": 4, "step_time_log_sd": 0.02}


def test_exclusive_measurements_are_used_where_there_are_some(tmp_path):
    results = runs({4: 0.0, 24: 0.0})
    study = write_study(tmp_path, results)
    write_measured(study, results, **REPEATED)
    table = table_of(read_study(study), {})
    cells = StudyCells.of(table.rows)
    for c in cells:
        assert c.cost("step_time_s") == pytest.approx(c.costs["flops"][0] * 2e-9)
        assert c.step_time.log_se == pytest.approx(0.01)
        assert c.step_time.df == 3
    judged = judge(table, cells, RULES)[0]
    assert any("measured.csv" in note for note in judged.notes)


def test_a_single_measurement_or_a_missing_shape_does_not_count(tmp_path):
    results = runs({4: 0.0, 24: 0.0})
    study = write_study(tmp_path, results)
    for measured, columns in ((results, {}), (results[:3], REPEATED)):
        (study / "measured.csv").unlink(missing_ok=True)
        write_measured(study, measured, **columns)
        for c in cells_of(table_of(read_study(study), {}).rows):
            assert c.step_time.source == "regimes"
            assert c.cost("step_time_s") == pytest.approx(c.costs["flops"][0] * 1e-9)


def test_measurements_of_another_device_or_of_runs_of_several_processes_do_not_count(tmp_path):
    results = runs({4: 0.0, 24: 0.0})
    changes = ({"device": "cpu: other"}, {"threads": 2}, {"world_size": 2})
    for folder, change in zip("abc", changes, strict=True):
        study = write_study(tmp_path / folder, [replace(r, **change) for r in results])
        write_measured(study, results, **REPEATED)
        for c in cells_of(table_of(read_study(study), {}).rows):
            assert c.step_time.source == "regimes"


def test_cells_of_equal_size_whose_steps_differ_have_step_times_of_their_own(tmp_path):
    # As variants of a study do: depth and width say nothing of an average of weights.
    results = [replace(r, depth=14, width=0.25) for r in runs({4: 0.0})]
    study = write_study(tmp_path, results)
    each = {r.config_id: r.flops * 2e-9 for r in results}
    for config_id, seconds in each.items():
        row = {"device": results[0].device, "threads": results[0].threads, "shape": config_id}
        keep_measured([{**row, "config_ids": config_id, "step_time_s": seconds, **REPEATED}], study)
    rows = with_measured_times([vars(r) for r in results], study)
    assert {row["config_id"]: row["measured"].seconds for row in rows} == pytest.approx(each)


@pytest.mark.slow
def test_a_broken_file_of_measurements_is_named(tmp_path):
    results = runs({4: 0.0, 24: 0.0})
    study = write_study(tmp_path, results)
    write_measured(study, results, measurements="many", step_time_log_sd=0.1)
    with pytest.raises(InputError, match=r"measured\.csv cannot be read"):
        table_of(read_study(study), {})


def test_the_verdict_at_equal_flops_stands_beside_that_at_equal_step_time(tmp_path):
    # Wide networks take less time than their FLOPs say, so at equal time width gains.
    results = timed(runs({4: 0.0, 24: 0.06}, sd=0.001), lambda r: 0.5 if r.width > 0.25 else 1.0)
    agreeing = runs({4: 0.0, 24: 0.06}, sd=0.001)
    for folder, made, disagree in (("a", results, True), ("b", agreeing, False)):
        table = table_of(read_study(write_study(tmp_path / folder, made)), {})
        judged = judge(table, StudyCells.of(table.rows), RULES)
        long = next(j for j in judged if j.rule.name == "R1-long")
        assert costs_disagree(long) is disagree
        text = lines(judged, RULES)
        below = text[[t.startswith("R1-long") for t in text].index(True) + 1]
        assert below.strip().startswith("at equal FLOPs supported")
        assert ("disagree" in below) is disagree
        assert ("the two disagree" in sentence(long)) is disagree
        assert "At equal FLOPs: supported" in sentence(long)


def drifting_study(rng, seeds=5, drift=0.1):
    """Two regimes in which error depends on true step time alone; replicates share their drift."""
    cells = {(14, 0.25): 1.0, (26, 0.25): 1.7, (38, 0.25): 2.5, (14, 0.4): 1.6, (14, 0.5): 2.3}
    rows = []
    for epochs, error, sd in ((4, 0.55, 0.004), (20, 0.32, 0.002)):
        for (depth, width), cost in cells.items():
            mood = math.exp(drift * rng.standard_normal())
            for seed in range(seeds):
                rows.append(
                    {"config_id": f"{depth} {width} {epochs}", "depth": depth, "width": width,
                     "resolution": 16, "epochs": epochs, "seed": seed, "n_val": 8000, "flops": cost,
                     "val_error": error * cost**-0.25 + sd * rng.standard_normal(),
                     "step_time_s": cost * mood * math.exp(0.01 * rng.standard_normal())}
                )  # fmt: skip
    return rows


@pytest.mark.slow
def test_intervals_cover_where_replicates_share_the_drift():
    rng = np.random.default_rng(6)
    missed = {"drift": 0, "seeds alone": 0}
    for _ in range(200):
        gap = Evidence(StudyCells.of(drifting_study(rng)), RULES).gap_at(20, COST)[0]
        # The true gap is zero.
        missed["drift"] += not gap.low <= 0 <= gap.high
        missed["seeds alone"] += abs(gap.estimate) > 2.1 * math.sqrt(gap.errors[0][0])
    # At 5 % more than 17 of 200 are drawn once in 60 times.
    assert missed["drift"] <= 17
    assert missed["seeds alone"] > 60
