"""The prior of seed noise: its table, its fit against a dense one, and what a store adds to it."""

import csv
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.special import ndtr, polygamma, stdtrit

from analysis.paper.tables import read
from analysis.study.noise_prior import MOST, VALUES, NoisePrior, log_bias, published_prior
from analysis.study.repeated_trainings import TABLE, Replicates, published, replicates_in
from helpers.made_up_results import run
from scaling_study.study.result import read_result
from scaling_study.tasks.classification import prior_sd

ROOT = Path(__file__).parents[3]


def rows(study):
    with TABLE.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["study"] == study]


def test_every_row_names_its_source():
    with TABLE.open(newline="", encoding="utf-8") as file:
        assert all(len(row["source"]) > 20 for row in csv.DictReader(file))


def test_the_row_of_both_releases_is_half_the_variance_of_their_differences():
    both = ("top1_pct_tpu_readme", "top1_pct_modelgarden_swish")
    pairs = [[float(row[c]) for c in both] for row in read("resnet_rs_family") if row[both[1]]]
    top1 = np.array(pairs)
    # Rounding to 0.1 adds the variance of a uniform number to each.
    variance = np.var(top1[:, 1] - top1[:, 0], ddof=1) / 2 - 0.1**2 / 12
    (row,) = rows("ResNet-RS")
    assert len(pairs) == int(row["cells"]) == int(row["df"]) + 1
    assert float(row["sd_pct"]) == pytest.approx(math.sqrt(variance), abs=5e-4)
    assert float(row["error_pct"]) == pytest.approx(100 - top1[:, 0].mean(), abs=0.01)


def test_the_rows_of_the_pilot_are_those_of_the_grid():
    grid = yaml.safe_load((ROOT / "sweeps/grid/depth_vs_width_large.yaml").read_text())["grid"]
    found = {int(row["epochs"]): row for row in rows("depth_vs_width, pilot")}
    assert set(found) == set(grid["planning"])
    for epochs, pilot in grid["planning"].items():
        assert float(found[epochs]["error_pct"]) == pytest.approx(100 * pilot["error"])
        assert float(found[epochs]["sd_pct"]) == pytest.approx(100 * pilot["seed_sd"])


def test_the_rows_of_the_old_store_are_its_replicates(tmp_path):
    with tarfile.open(ROOT / "tests/compat/store.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    results = [read_result(path) for path in tmp_path.glob("results/runs/*/result.json")]
    found = {r.images_seen: r for r in replicates_in(results)}
    table = {r.images_seen: r for r in published() if r.study == "tests/compat"}
    assert set(found) == set(table)
    for seen, r in found.items():
        assert (r.data, r.cells, r.df) == ("fractals", table[seen].cells, table[seen].df)
        assert r.ratio == pytest.approx(table[seen].ratio, rel=1e-3)


def dense(replicates, data, images_seen, shortness=lambda t: t**-0.25):
    """Mean and SD of ln(factor), and the greatest log likelihood, by dense matrices."""
    y = np.array([math.log(r.ratio) / 2 - log_bias(r.df) for r in replicates])
    known = np.array([polygamma(1, r.df / 2) / 4 for r in replicates])
    names = [r.data for r in replicates]
    same = np.array([[a == b for b in names] for a in names], dtype=float)
    x = np.array([[1, shortness(r.images_seen)] for r in replicates])
    new, alike = np.array([1, shortness(images_seen)]), np.array([n == data for n in names])
    found = []
    for tau_d in np.linspace(0, MOST, VALUES):
        for tau_r in np.linspace(0, MOST, VALUES):
            v = np.diag(known + tau_r**2) + tau_d**2 * same
            inverse = np.linalg.inv(v)
            normal = x.T @ inverse @ x
            b = np.linalg.solve(normal, x.T @ inverse @ y)
            rest, k = y - x @ b, tau_d**2 * alike
            ml = -(np.linalg.slogdet(v)[1] + rest @ inverse @ rest) / 2
            apart = new - x.T @ inverse @ k
            variance = tau_d**2 + tau_r**2 - k @ inverse @ k
            variance += apart @ np.linalg.solve(normal, apart)
            mean = new @ b + k @ inverse @ rest
            found.append((ml, ml - np.linalg.slogdet(normal)[1] / 2, mean, variance))
    ml, reml, mean, variance = np.array(found).T
    weights = np.exp(reml - reml.max()) / np.exp(reml - reml.max()).sum()
    average = weights @ mean
    return average, math.sqrt(weights @ (variance + (mean - average) ** 2)), ml.max()


@pytest.mark.parametrize(
    ("data", "seen"), [("imagenet", 1.28e7), ("fractals", 25_600.0), ("another", 1e5)]
)
def test_the_fit_is_that_of_dense_matrices(data, seen):
    factor = published_prior().factor(data, seen)
    mean, sd, _ = dense(published(), data, seen)
    assert factor.log_mean == pytest.approx(mean, abs=1e-9)
    assert factor.log_sd == pytest.approx(sd, abs=1e-9)


def test_the_measure_of_short_training_has_the_greatest_likelihood():
    forms = {
        "-1/4": lambda t: t**-0.25,
        "-1/3": lambda t: t ** (-1 / 3),
        "-1/2": lambda t: t**-0.5,
        "ln": math.log,
        "none": lambda t: 1 + 1e-6 * math.log(t),
    }
    found = {name: dense(published(), "another", 1e5, form)[2] for name, form in forms.items()}
    assert max(found, key=found.get) == "-1/4"
    assert found["-1/4"] > found["ln"] + 2


def test_short_training_and_unknown_data_are_less_certain():
    prior = published_prior()
    short, long = (prior.factor("fractals", 1280.0 * epochs) for epochs in (4, 20))
    assert 1.3 < long.median < 1.6 < short.median < 2.2
    # What was measured on the default study of four and twenty epochs lies inside.
    for factor, measured, formula in ((short, 1.31, 0.60), (long, 0.58, 0.47)):
        assert factor.range[0] < measured / formula < factor.range[1]
    assert prior.factor("another", 25_600.0).log_sd > 2 * long.log_sd
    assert prior.factor(None, None).log_sd > prior.factor("another", 25_600.0).log_sd
    assert prior.factor("imagenet", 1_281_167 * 350.0).median == pytest.approx(1, abs=0.05)
    assert "from 60 cells of 7 studies" in long.text()


@pytest.mark.parametrize("data", ["fractals", "another"])
def test_t_with_its_scale_holds_as_much_as_the_lognormal_factor(data):
    factor = published_prior().factor(data, 25_600.0)
    assert polygamma(1, factor.df / 2) / 4 == pytest.approx(factor.log_sd**2, rel=1e-6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    sds = np.exp(factor.log_mean + factor.log_sd * nodes)
    bound = factor.scale * stdtrit(factor.df, 0.975)
    outside = weights @ ndtr(-bound / sds) / weights.sum()
    assert 0.022 < outside <= 0.0251


def results(data, epochs, factor, cells=10, seeds=4, n_val=2000, rng=None):
    """Finished runs of one data set whose seeds scatter `factor` times as the formula says."""
    rng = rng or np.random.default_rng(3)
    found = []
    for cell in range(cells):
        for seed in range(seeds):
            error = 0.3 + factor * prior_sd(0.3, n_val) * float(rng.standard_normal())
            made = run(14 + 12 * cell, 0.25, epochs, seed, error)
            found.append(type(made)(**{**made.__dict__, "data": data}))
    return found


def test_a_store_refines_the_prior_of_its_own_data_first():
    before, after = published_prior(), NoisePrior.with_store(results("mine", 10, 3.0))
    own, seen = after.factor("mine", 10_000.0), 10_000.0
    assert own.median == pytest.approx(3, rel=0.15)
    assert own.log_sd < 0.7 * before.factor("mine", seen).log_sd
    # Another length of training on the same data follows, other data less, known data hardly.
    ratios = [
        after.factor(data, t).median / before.factor(data, t).median
        for data, t in (("mine", seen), ("mine", 4e4), ("another", seen), ("imagenet", 4e8))
    ]
    assert ratios[1] == pytest.approx(ratios[0], rel=0.05)
    assert ratios[0] > 1.5 * ratios[2] > 1.5 * ratios[3]
    assert ratios[3] == pytest.approx(1, abs=0.15)
    assert (own.cells, own.studies) == (before.cells + 10, before.studies + 1)


def test_only_replicates_of_finished_runs_count():
    once = results("mine", 10, 2.0, seeds=1)
    assert replicates_in([None, *once]) == []
    assert NoisePrior.with_store(once) is published_prior()
    bad = results("mine", 10, 2.0)
    changed = [{"status": "failed"}, {"memory_halvings": 1}, {"val_error": None}]
    for change in changed:
        assert replicates_in([type(r)(**{**r.__dict__, **change}) for r in bad]) == []
    exact = replicates_in(results("mine", 10, 0.0))
    # Agreement to the last image says that the SD is less than one image.
    assert exact[0].ratio == pytest.approx(1 / (6 * 2000 * 0.3))
    assert NoisePrior([*published(), *exact]).factor("mine", 1e4).median < 0.2


def test_factors_of_new_regimes_scatter_as_much_as_is_said():
    rng, scores = np.random.default_rng(11), []
    for _ in range(150):
        effects = 0.3 * rng.standard_normal(6)

        def log_factor(data, t, effects=effects):
            return -0.1 + 5 * t**-0.25 + effects[data] + 0.15 * rng.standard_normal()

        units = []
        for data in range(6):
            for t in 10.0 ** rng.uniform(3, 8, 2):
                df = int(rng.integers(4, 20))
                ratio = math.exp(2 * log_factor(data, t)) * rng.chisquare(df) / df
                units.append(Replicates(data, f"data {data}", t, 5, df, ratio))
        factor = NoisePrior(units).factor("data 2", 1e5)
        scores.append((log_factor(2, 1e5) - factor.log_mean) / factor.log_sd)
    # 5 % beyond 1.96 and 32 % beyond 1, within chance.
    assert np.mean(np.abs(scores) > 1.96) < 0.10
    assert 0.18 < np.mean(np.abs(scores) > 1) < 0.42
