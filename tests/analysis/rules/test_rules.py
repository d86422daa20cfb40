"""Verdicts from intervals, the declared rules, and what a planned grid can decide."""

import hashlib
import math
import subprocess
import sys

import numpy as np
import pytest
import yaml

from analysis.power import SEEDS, table
from analysis.rules.design_analysis import decidable, describe
from analysis.rules.planned import planning_of
from analysis.rules.preregistration import freeze, load_rules
from analysis.stats.contrast import Estimand, Gap, gap_of
from analysis.stats.decision import Verdict, combine, decide, mde80, seeds_needed
from analysis.study.arms import base_of, pairs_of
from analysis.study.cells import cells_of
from analysis.study.noise import noise_of
from analysis.study.noise_prior import published_prior
from helpers.made_up_results import DEPTHS, WIDTHS, run
from scaling_study.common.errors import InputError


def gap(low, high, df=40.0):
    middle, half = (low + high) / 2, (high - low) / 2
    return Gap(middle, half / 2.02, df, low, high, 0.2, 0.0, {}, {})


@pytest.mark.parametrize(
    ("low", "high", "sign", "value", "reason"),
    [
        (0.006, 0.02, 1, "supported", "beyond"),
        (-0.02, -0.006, -1, "supported", "beyond"),
        (-0.02, -0.006, 1, "refuted", "reversed"),
        (-0.004, 0.004, 1, "refuted", "negligible"),
        (-0.004, 0.004, -1, "refuted", "negligible"),
        (-0.02, 0.004, 1, "refuted", "below_margin"),
        (-0.004, 0.02, 1, "inconclusive", "contains"),
        (-0.02, 0.02, -1, "inconclusive", "contains"),
    ],
)
def test_verdict_table(low, high, sign, value, reason):
    verdict = decide(gap(low, high), sign, 0.005, 0.05, 3, 10)
    assert verdict.value == value
    assert reason in verdict.reason
    assert (verdict.p_refuted < 0.025) == (value == "refuted")
    assert verdict.mde80 > 0.005


def test_seeds_needed_are_enough_and_least():
    n = seeds_needed(0.01, 2, 10, 0.02, 0.05)
    assert mde80(0.01 * math.sqrt(2 / n), 0 + 10 * (n - 1), 0, 0.05) <= 0.02
    assert mde80(0.01 * math.sqrt(2 / (n - 1)), 10 * (n - 2) or 1, 0, 0.05) > 0.02
    assert seeds_needed(0.01, 2, 10, 1e-6, 0.05) is None
    # What drifting step times add does not fall with seeds.
    assert seeds_needed(0.01, 2, 10, 0.02, 0.05, fixed=0.005) > n
    assert seeds_needed(0.01, 2, 10, 0.02, 0.05, fixed=0.009) is None


def verdict(value, p=0.5):
    return Verdict(value, "", p_refuted=None if value == "not_testable" else p)


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([verdict("supported"), verdict("supported")], "supported"),
        ([verdict("supported"), verdict("refuted", 0.001)], "refuted"),
        ([verdict("not_testable"), verdict("refuted", 0.001)], "refuted"),
        ([verdict("supported"), verdict("refuted", 0.02)], "inconclusive"),
        ([verdict("supported"), verdict("inconclusive")], "inconclusive"),
        ([verdict("supported"), verdict("not_testable")], "not_testable"),
        ([verdict("not_testable"), verdict("not_testable")], "not_testable"),
    ],
)
def test_both_parts_are_needed(parts, value):
    assert combine([("a", parts[0]), ("b", parts[1])], 0.05).value == value


def test_freeze_keeps_the_first_rules(tmp_path):
    path = freeze(tmp_path, {"rules": {"margin": 0.01}})
    first = path.read_bytes()
    rules = load_rules(tmp_path, {"rules": {"margin": 0.01}})
    assert (rules.margin, rules.exploratory) == (0.01, "")
    assert rules.sha256 == hashlib.sha256(first).hexdigest()
    freeze(tmp_path, {"rules": {"margin": 0.02}})
    assert path.read_bytes() == first
    later = load_rules(tmp_path, {"rules": {"margin": 0.02, "cost": "flops"}})
    assert later.margin == 0.01
    assert "margin, cost" in later.exploratory
    assert not list(tmp_path.glob(".*"))


def test_an_edited_file_is_exploratory(tmp_path):
    path = freeze(tmp_path, {})
    path.write_text(path.read_text().replace("margin: 0.005", "margin: 0.001"))
    assert "margin" in load_rules(tmp_path, {}).exploratory


def test_the_hash_before_freezing_is_that_of_the_file(tmp_path):
    path = freeze(tmp_path, {})
    assert load_rules(None, {}).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert yaml.safe_load(path.read_text())["rules"]["R1-long"]["sign"] == 1


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"margn": 0.1}, "margn"),
        ({"margin": "big"}, "margin"),
        ({"margin": True}, "margin"),
        ({"cost": "money"}, "step_time_s"),
        ({"base": "largest"}, "smallest"),
        ({"rules": {"R1-long": {"sign": 2}}}, "sign"),
        ({"rules": {"R9": {}}}, "R9"),
        ({"rules": None}, "must map names to rules"),
        ({"rules": {"mine": {"kind": "arms", "arms": ["depth", "depth"]}}}, "two different axes"),
        ({"rules": {"mine": {"kind": "arms", "sings": 1}}}, "sings"),
        ({"rules": {"R1": {"parts": ["R9"]}}}, "R9"),
        ({"looks": [3, 2]}, "rising"),
        ([1], "not a mapping"),
    ],
)
def test_bad_rules_are_named(tmp_path, declared, message):
    with pytest.raises(InputError, match=message):
        freeze(tmp_path, {"rules": declared})
    assert not (tmp_path / "prereg.yaml").exists()


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "prereg.yaml").write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        load_rules(tmp_path, {})


def test_rules_and_power_import_fast():
    code = (
        "import sys, analysis.rules, analysis.power;"
        "sys.exit(any(m in sys.modules for m in ('pandas', 'matplotlib', 'torch', 'scipy.stats')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def plan(seeds, epochs=(4, 24)):
    return [
        {"config_id": f"{d} {w} {e}", "depth": d, "width": w, "resolution": 32, "epochs": e,
         "seed": s, "n_val": 2000, "flops": run(d, w, e, s, 0.5).flops}
        for d, w in (*DEPTHS, *WIDTHS) for e in epochs for s in range(seeds)
    ]  # fmt: skip


@pytest.mark.slow
def test_power_is_what_a_simulation_finds():
    """Studies drawn with a true gap of MDE80 are judged supported in 80 % of cases."""
    rules, sd, draws = load_rules(None, {}), 0.004, 1000
    power = decidable(plan(3), rules, {24: (0.4, sd)})[0]
    assert (power.rule, power.epochs, power.seeds) == ("R1-long", 24, 3)
    # Fewer than the 12 of the pool: few cells carry the weight.
    assert 2 < power.df < 12
    assert power.seeds_for(power.mde80) == 3
    assert power.seeds_for(power.margin) is None

    def judged(effect, noise):
        rows = [
            {**row, "val_error": 0.4 * math.exp(effect * (row["width"] > 0.25)) + e}
            for row, e in zip(plan(3, (24,)), noise, strict=True)
        ]  # fmt: skip
        cells = cells_of(rows)
        pairs = pairs_of(cells, base_of(cells, "smallest"), 24, "flops")
        return gap_of(pairs, noise_of(cells), Estimand("flops"), rules.alpha, rules.min_overlap)

    rng = np.random.default_rng(5)
    # The gap is linear in the effect; a tiny alternating noise keeps its variance positive.
    unit = judged(0.1, 1e-9 * (-1.0) ** np.arange(18)).estimate / 0.1
    found = [judged(power.mde80 / unit, rng.normal(0, sd, 18)) for _ in range(draws)]
    values = [decide(g, 1, power.margin, rules.alpha, 3, 6).value for g in found]
    assert values.count("supported") / draws == pytest.approx(0.8, abs=0.045)


def test_the_table_of_power_names_the_seeds_that_simulated_studies_need():
    pilot = {24: (0.4, 0.008), 4: (0.5, 0.008)}
    long = table(plan(3), load_rules(None, {}), pilot)[: len(SEEDS) + 4]
    rows = [line for line in long if " seeds: " in line]
    # The middle column has the planned noise: studies supported if the paper's effect is there.
    supported = {int(r.split()[0]): float(r.split(",")[1].split("%")[0]) for r in rows}
    (answer,) = (line for line in long if "seeds per cell for that effect" in line)
    needed = int(answer.split()[0])
    assert 5 < needed < 10
    assert supported[5] < 80 < supported[10]


def test_power_falls_with_seeds_and_says_so():
    rules = load_rules(None, {})
    few, many = (decidable(plan(n), rules, {})[1] for n in (2, 5))
    assert many.mde80 < few.mde80
    assert few.source == "prior, from 60 cells of 7 studies"
    factor = published_prior().factor(None, None)
    assert few.seed_sd == pytest.approx(factor.median * math.sqrt(0.4 / 4000))
    assert few.spread == factor.log_sd
    text = describe([few])[0]
    assert text.startswith("R1-short (4 epochs): decides effects of ")
    assert "which the power is averaged over) at 40 % error (prior, from 60 cells of" in text
    assert "one seed per cell does not measure" in describe(decidable(plan(1), rules, {}))[0]


def test_power_of_a_grid_that_cannot_decide():
    rules = load_rules(None, {})
    one_arm = [row for row in plan(3) if row["width"] == 0.25]
    assert "two cells or more" in describe(decidable(one_arm, rules, {}))[0]
    assert "one regime only" in describe(decidable(plan(3, (4,)), rules, {}))[0]
    with pytest.raises(ValueError, match="no planned runs"):
        decidable([], rules, {})


def test_a_pilots_noise_is_planned_with_at_its_own_epochs():
    pilot = planning_of({"planning": {4: {"error": 0.5, "seed_sd": 0.02}}})
    long, short, *_ = decidable(plan(3), load_rules(None, {}), pilot)
    assert (short.error, short.seed_sd, short.source) == (0.5, 0.02, "pilot")
    assert (long.error, long.source.split(",")[0]) == (0.4, "prior")
    assert (short.spread, long.spread > 0) == (0, True)
    assert "seed SD 2.0 pp at 50 % error (pilot)" in describe([short])[0]
    with pytest.raises(InputError, match="must be"):
        planning_of({"planning": {4: 0.5}})
