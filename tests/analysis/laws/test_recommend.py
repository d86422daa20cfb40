"""Recommendations from studies whose error surface is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.fits.laws import FORMS
from analysis.laws.error_surface import carried, predict, surface_of
from analysis.laws.points import points_of
from analysis.laws.recommend.candidates import cost_law
from analysis.laws.recommend.choose import recommend
from analysis.published.tables import figure_2
from analysis.recommend import main
from analysis.study.cells import cells_of
from analysis.study.table import table_of
from helpers.known_optimum import GRID, results, truth
from helpers.planned_study import finished as finished_study
from helpers.study import write_study
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.config.run import run_config
from scaling_study.cost.closed_form import describe
from scaling_study.models.families.resnet import LAYOUTS
from scaling_study.study.table import read_study

# As the grid.yaml of a study of ResNets has them.
SIZES = {
    "depth": list(LAYOUTS),
    "width": [n / 8 for n in range(1, 17)],
    "resolution": list(range(16, 193, 16)),
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("study"), results())
    return cells_of(table_of(read_study(study), {}).rows)


def recommended(cells, **options):
    budget = options.pop("budgets", {"flops": 1e9})
    return recommend(cells, budget, steps_per_epoch=10.0, **{"sizes": SIZES} | options)


EFFICIENTNET = {
    **{"family": "efficientnet", "depth": 1.0, "width": 1.0, "stem": "small", "se_ratio": 0.25},
    **{"bn_momentum": 0.01, "dropout": 0.2, "stochastic_depth": 0.2},
}
STACK = {"family": "helpers.stack_family", "depth": 1.0, "width": 1.0, "my_setting": 3}


@pytest.mark.parametrize(
    ("model", "depths", "legal", "step"),
    [
        (TINY["model"], (14, 50, 101), [14, 26, 38, 50, 101, 152, 200], 1 / 64),
        (EFFICIENTNET, (1.0, 1.8, 3.2), [n / 10 for n in range(5, 61)], 0.05),
        (STACK, (1.0, 2.5, 6.0), [n / 2 for n in range(1, 21)], 0.25),
    ],
    ids=["resnet", "efficientnet", "own"],
)
def test_a_study_recommends_sizes_that_its_family_has(
    execution, capsys, model, depths, legal, step
):
    axes = {"depth": [*depths], "width": [0.5, 0.75, 1.0], "resolution": [32, 64], "seed": [0, 1]}

    def error(run):
        d, w = math.log(run.model.depth / depths[1]), math.log(run.model.width / 0.75)
        small = math.log(64 / run.data.resolution)
        return 0.3 * math.exp(0.2 * d * d + 0.2 * w * w + 0.2 * small) + 1e-4 * run.seed

    folder = finished_study(execution, {"name": "sizes", "axes": axes}, error, model=model)
    sizes = read_study(folder).grid["sizes"]
    assert sizes["depth"] == legal
    assert np.diff(sizes["width"]) == pytest.approx(step)
    cells = cells_of(table_of(read_study(folder), {}).rows)
    most = max(c.cost("flops") for c in cells)
    best = recommend(cells, {"flops": most}, steps_per_epoch=10, sizes=sizes).best
    # The optimum was run, and is among what the family has: no size near it does better.
    assert (best.depth, best.resolution) == (depths[1], 64)
    assert best.width == pytest.approx(0.75, abs=step)
    assert best.width in sizes["width"]
    shape = {"model": model | {"depth": best.depth, "width": best.width}}
    known = describe(run_config(TINY | shape | {"data": TINY["data"] | {"resolution": 64}}))
    assert best.costs["flops"] == pytest.approx(known["flops"], rel=0.15)
    assert main([str(folder), "--max-flops", str(most)]) == 0
    said = capsys.readouterr().out
    assert f"best: depth {best.depth:g}, width {best.width:g}, 64 px" in said
    assert "only studied ones" not in said


def test_without_its_familys_sizes_a_study_recommends_studied_ones(cells, tmp_path, capsys):
    best = recommended(cells, sizes={}).best
    assert (best.depth, best.width, best.resolution) in GRID
    assert main([str(write_study(tmp_path, results())), "--max-flops", "1e9"]) == 0
    assert "grid.yaml does not list the sizes" in capsys.readouterr().out


def test_the_best_of_a_known_surface(cells):
    found = recommended(cells)
    best = found.best
    assert best.costs["flops"] <= 1e9
    shapes = [
        (d, w, r)
        for d in (14, 26, 38, 50, 101)
        for w in np.arange(0.25, 1.01, 0.125)
        for r in (32, 48, 64, 80, 96)
        if 4e4 * d * w**2 * r**2 <= 1e9
    ]
    least = min(truth(*shape) for shape in shapes)
    assert truth(best.depth, best.width, best.resolution) == pytest.approx(least, rel=0.003)
    assert best.error == pytest.approx(least, rel=0.01)
    assert best.low < least < best.high
    assert best.inside
    assert found.cheapest.error <= best.error * 1.005
    assert found.cheapest.costs["flops"] <= best.costs["flops"]
    assert found.surface.dropped == ()


def test_repeats_are_cells_that_matter(cells):
    found = recommended(cells)
    gains = [gain for _, gain in found.repeats]
    assert len(gains) == 3
    assert sorted(gains, reverse=True) == gains
    assert 0 < gains[0] < 0.2


def test_scaling_a_cost_changes_no_choice(cells):
    scaled = [
        replace(c, costs={k: tuple(7.0 * x for x in v) for k, v in c.costs.items()}) for c in cells
    ]
    one, two = recommended(cells), recommended(scaled, budgets={"flops": 7e9})
    assert (one.best.depth, one.best.width) == (two.best.depth, two.best.width)
    assert one.best.error == pytest.approx(two.best.error)


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ({}, "give a positive budget"),
        ({"flops": 1e3}, "the cheapest needs"),
        ({"flops": 1e15}, "outside the data"),
        ({"gpu_hours": -1.0}, "give a positive budget"),
    ],
)
def test_budgets_that_are_refused(cells, budgets, said):
    with pytest.raises(InputError, match=said):
        recommended(cells, budgets=budgets)


def test_other_training_lengths_are_refused(cells):
    with pytest.raises(InputError, match="--epochs 20: this study trained 10 to 10"):
        recommended(cells, epochs=20)


def test_extrapolation_is_marked(cells):
    found = recommended(cells, budgets={"flops": 1e15}, extrapolate=True)
    assert not found.best.inside
    assert found.best.distance > 1.3


def test_every_budget_counts(cells):
    budgets = {"flops": 1e9, "params": 1.2e5, "step_time_s": 1.0, "peak_memory_bytes": 2.3e8}
    best = recommended(cells, budgets=budgets | {"gpu_hours": 1.0}).best
    assert all(best.costs[name] <= limit for name, limit in budgets.items())
    law = cost_law(cells, "flops")
    assert law.slopes == pytest.approx([1, 2, 2], abs=1e-6)
    assert law.sd < 1e-6


def test_a_cost_nobody_measured(cells):
    bare = [replace(c, costs={"flops": c.costs["flops"]}, step_time=None) for c in cells]
    with pytest.raises(InputError, match="--max-step-time: 0 configurations"):
        recommended(bare, budgets={"step_time_s": 1.0})


def test_a_design_of_two_arms_gets_fewer_terms(tmp_path):
    arms = [(14, 0.25, 32), (26, 0.25, 32), (50, 0.25, 32), (101, 0.25, 32)]
    arms += [(14, 0.5, 32), (14, 0.75, 32), (14, 1.0, 32)]
    study = write_study(tmp_path, results(arms, (4, 20)))
    cells = cells_of(table_of(read_study(study), {}).rows)
    found = recommended(cells, budgets={"flops": 5e8}, epochs=10)
    assert "resolution" in found.surface.dropped
    assert "epochs*epochs" in found.surface.dropped
    assert found.best.resolution == 32
    assert found.best.inside


def test_a_region_no_arm_visited_is_outside():
    points = {k: v[figure_2()["resolution"] == 224] for k, v in figure_2().items()}
    arms = (points["depth"] == 26) | (points["width"] == 0.25)
    surface = surface_of({k: v[arms] for k, v in points.items()})
    corner = {"depth": [400.0], "width": [2.0], "resolution": [224.0], "epochs": [350.0]}
    near = corner | {"depth": [101.0], "width": [0.25]}
    assert not predict(surface, {k: np.array(v) for k, v in corner.items()}).inside[0]
    assert predict(surface, {k: np.array(v) for k, v in near.items()}).inside[0]


def test_terms_never_use_up_the_configurations():
    points = {k: v[:8] for k, v in figure_2().items()}
    kept, missing = carried(points, FORMS["quad3"])
    assert len(kept) <= 5
    assert len(kept) + len(missing) == 10


def test_one_configuration_is_refused(cells):
    with pytest.raises(InputError, match="do not vary enough"):
        surface_of(points_of(cells[:1], "flops"))


def test_command_line(tmp_path, capsys):
    study = write_study(tmp_path, results())
    assert main([str(study), "--max-flops", "1e9", "--gpu-hours", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("best: depth ")
    assert "10-fold: relative error" in out
    assert "one more seed of d" in out
    assert main([str(study)]) == 2
    assert "error: give a positive budget: --max-flops" in capsys.readouterr().err
    assert main([str(tmp_path), "--max-flops", "1e9"]) == 2


@pytest.mark.slow
def test_one_new_training_and_the_mean_over_seeds_have_intervals_of_their_own():
    """Errors quadratic in logs; what a new run of a studied size, and its mean, turn out to be."""
    studies, covered = 200, {"run": 0, "mean": 0}
    sizes = [(d, w, r) for d in (14, 26, 50) for w in (0.25, 0.5, 1.0) for r in (16, 24, 32)]
    axes = np.array(sizes)
    logs = np.log(axes)
    true = np.log(0.4) - 0.1 * (logs - logs.mean(axis=0)).sum(axis=1)
    for study in range(studies):
        rng = np.random.default_rng([4, study])
        cell_mean = true + 0.01 * rng.standard_normal(len(true))
        runs = np.exp(cell_mean[:, None] + 0.02 * rng.standard_normal((len(true), 3)))
        points = {
            **dict(zip(("depth", "width", "resolution"), axes.T, strict=True)),
            **{"epochs": np.full(len(true), 20.0), "n": np.full(len(true), 3.0)},
            **{"cost": np.exp(logs.sum(axis=1)), "error": runs.mean(axis=1)},
            "se": np.full(len(true), np.sqrt(runs.var(axis=1, ddof=1).mean() / 3)),
        }
        row = {name: column[13:14] for name, column in points.items()}
        found = predict(surface_of(points), row)
        mean = true[13] + 0.01 * rng.standard_normal()
        run = mean + 0.02 * rng.standard_normal()
        covered["run"] += found.low[0] <= np.exp(run) <= found.high[0]
        covered["mean"] += found.mean_low[0] <= np.exp(mean) <= found.mean_high[0]
        assert found.low[0] < found.mean_low[0] < found.mean_high[0] < found.high[0]
    assert 0.9 <= covered["run"] / studies <= 0.99
    assert covered["mean"] / studies >= 0.9
