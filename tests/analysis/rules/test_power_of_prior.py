"""What a plan can decide where a prior says how runs scatter, against simulated studies.

Each study draws its own SD around the prior and its own errors, and is judged as a real one.
"""

import math

import numpy as np
import pytest

from analysis.power import table
from analysis.rules.design_analysis import decidable, describe
from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.stats.contrast import Estimand
from analysis.stats.decision import averaged
from analysis.study.noise_prior import NoisePrior, published_prior
from analysis.study.study_cells import StudyCells
from helpers.made_up_results import DEPTHS, WIDTHS, run

PRIOR = {"rules": {"seed_sd": "prior"}}
# With as many images effects of 80 % power are small, so that errors stay near the planned one.
DRAWS, ERROR, N_VAL = 800, 0.4, 50_000
# Three standard errors of a share of 0.8.
CHANCE = 3 * math.sqrt(0.8 * 0.2 / DRAWS)


def plan(seeds, data):
    return [
        {"config_id": f"{d} {w} {e}", "depth": d, "width": w, "resolution": 32, "epochs": e,
         "seed": s, "n_val": N_VAL, "n_train": 1280, "data": data,
         "flops": run(d, w, e, s, 0.5).flops}
        for d, w in (*DEPTHS, *WIDTHS) for e in (4, 24) for s in range(seeds)
    ]  # fmt: skip


def supported(rule_name, rows, effect, rules, rng):
    """Share of studies with this true effect that support a rule; SDs are drawn around the prior.

    The width arm's errors are higher by a factor in the longest regime, equal in the shortest.
    """
    (rule,) = (r for r in rules.rules if r.name == rule_name)
    kind = find_kind(rule.kind)

    def judged(shift, noise):
        errors = [
            ERROR * math.exp(shift * (row["width"] > 0.25) * (row["epochs"] == 24)) + e
            for row, e in zip(rows, noise, strict=True)
        ]
        made = [{**row, "val_error": e} for row, e in zip(rows, errors, strict=True)]
        return kind.estimate(Evidence(StudyCells.of(made), rules), rule, Estimand("flops"))

    tiny = 1e-9 * (-1.0) ** np.arange(len(rows))
    unit = judged(0.1, tiny).gap.estimate / 0.1
    factors = [published_prior().factor(r["data"], 1280.0 * r["epochs"]) for r in rows]
    medians = np.array([f.median for f in factors]) * math.sqrt(ERROR / (2 * N_VAL))
    spreads = np.array([f.log_sd for f in factors])
    found = []
    for _ in range(DRAWS):
        sds = medians * np.exp(spreads * rng.standard_normal())
        found.append(judged(effect / unit, sds * rng.standard_normal(len(rows))).verdict.value)
    return found.count("supported") / DRAWS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "seeds", "data"),
    [
        ("R1-long", 3, "fractals"),
        ("R1-long", 3, "another"),
        ("R1-long", 1, "fractals"),
        ("R1-long", 1, "another"),
        pytest.param("R1-interaction", 3, "another", marks=pytest.mark.slow),
        pytest.param("R1-long", 2, "another", marks=pytest.mark.slow),
    ],
)
def test_predicted_power_is_what_simulated_studies_have(rule, seeds, data):
    rows, rules = plan(seeds, data), load_rules(None, PRIOR)
    power = next(p for p in decidable(rows, rules, {}) if p.rule == rule)
    assert power.testable
    assert (power.spread > 0) == (seeds > 1)
    share = supported(rule, rows, power.mde80, rules, np.random.default_rng(5))
    assert share == pytest.approx(0.8, abs=CHANCE)


def test_an_unknown_sd_asks_for_more():
    known, unknown = (
        decidable(plan(3, data), load_rules(None, {}), {})[0] for data in ("fractals", "another")
    )
    assert averaged(0.0) == 1
    assert 1 < averaged(known.spread) < averaged(unknown.spread) < 1.3
    assert unknown.seeds_for(1.001 * unknown.mde80) == 3


def test_a_plan_says_from_what_its_noise_comes_and_how_sure_it_is():
    rows = plan(3, "fractals")
    line = describe(decidable(rows, load_rules(None, {}), {}))[0]
    factor = published_prior().factor("fractals", 24 * 1280.0)
    sds = [100 * math.sqrt(ERROR / (2 * N_VAL)) * f for f in (factor.median, *factor.range)]
    middle, low, high = (f"{sd:.1f}" for sd in sds)
    assert f"seed SD {middle} pp ({low} to {high}, which the power is averaged over)" in line
    assert "at 40 % error (prior, from 60 cells of 7 studies)" in line


def test_replicates_of_a_store_change_the_plan():
    results = [
        run(14 + 12 * c, 0.25, 24, s, 0.4 + 0.05 * (-1) ** s) for c in range(8) for s in (0, 1)
    ]
    rows, rules = plan(3, "synthetic"), load_rules(None, {})
    before, after = (
        decidable(rows, rules, {}, prior)[0] for prior in (None, NoisePrior.with_store(results))
    )
    assert after.mde80 > 2 * before.mde80
    assert after.source == "prior, from 68 cells of 8 studies"


def test_the_table_of_power_averages_over_the_prior():
    rows, rules = plan(3, "fractals"), load_rules(None, {})
    lines = [line for line in table(rows, rules, {}) if " seeds: " in line]
    assert all(line.count("averaged over the prior's SDs about") == 1 for line in lines)
    # Longest regime first; more seeds support more.
    shares = [float(line.split(":")[1].split("%")[0]) for line in lines[:4]]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0]
