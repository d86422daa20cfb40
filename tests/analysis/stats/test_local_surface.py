"""The contrast over a cloud: exact where there is no noise, and held error rates where there is."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.stats.local_surface import surface_contrast
from analysis.study.cells import Cell
from analysis.study.errors import NothingToCompareError
from helpers.made_up_results import cell

AXES = ("depth", "width")
SD = 0.02


def cloud(
    seed: int, slopes: tuple[float, float] = (-0.10, -0.20), n: int = 14, seeds: int = 1,
    sd: float = SD, lengths: tuple[int, ...] = (10,),
) -> list[Cell]:  # fmt: skip
    """Shapes at random; cost = depth width^2, so equal elasticities need slopes of 1 to 2."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        depth, width = rng.integers(2, 40), float(2 ** rng.uniform(4, 8))
        length = int(rng.choice(lengths))
        x, y = math.log(depth / 10), math.log(width / 64)
        mean = slopes[0] * x + slopes[1] * y + 0.03 * x * y + 0.02 * y**2 - 0.2 * math.log(length)
        values = np.exp(1.0 + mean + sd * rng.standard_normal(seeds))
        made = cell(str(i), float(depth * width**2), tuple(map(float, values)), int(depth), width)
        costs = {"flops": (float(depth * width**2),)}
        found.append(replace(made, epochs=length, costs=costs))
    return found


def truth(cells: list[Cell], slopes: tuple[float, float]) -> float:
    """The elasticity difference of `cloud` at the centre of these shapes."""
    x = float(np.mean([math.log(c.depth / 10) for c in cells]))
    y = float(np.mean([math.log(c.width / 64) for c in cells]))
    return (slopes[1] + 0.03 * x + 0.04 * y) / 2 - (slopes[0] + 0.03 * y)


def test_without_noise_the_contrast_is_that_of_the_surface() -> None:
    cells = cloud(1, sd=0.0)
    found = surface_contrast(cells, AXES, "flops")
    assert found.contrast == pytest.approx(truth(cells, (-0.10, -0.20)), abs=1e-9)
    assert found.first - found.second == pytest.approx(-found.contrast)
    assert "every shape ran once" in found.rests_on
    several = cloud(1, sd=0.0, n=24, lengths=(5, 10, 20))
    found = surface_contrast(several, AXES, "flops")
    assert found.contrast == pytest.approx(truth(several, (-0.10, -0.20)), abs=1e-9)
    assert "epochs" in found.centre


def test_what_else_shapes_differ_in_does_not_disturb_the_contrast() -> None:
    cells, shifted = cloud(1, sd=0.0, n=20), []
    for number, c in enumerate(cells):
        side = 16 if number % 3 else 32  # costs 4 times as much, and has half the error
        costs = {"flops": tuple(v * (side / 16) ** 2 for v in c.costs["flops"])}
        errors = tuple(v * 16 / side for v in c.errors)
        kind = (("heads", "4" if c.width > 64 else "8"),)
        shifted.append(replace(c, resolution=side, costs=costs, errors=errors, settings=kind))
    found = surface_contrast(shifted, AXES, "flops")
    assert found.contrast == pytest.approx(truth(cells, (-0.10, -0.20)), abs=1e-9)
    assert found.terms[-1] == "other settings 4"


@pytest.mark.slow
@pytest.mark.parametrize(("n", "seeds"), [(11, 1), (14, 1), (14, 3)])
@pytest.mark.parametrize("slopes", [(-0.10, -0.20), (-0.25, -0.10)])
def test_intervals_contain_the_truth_in_95_of_100_clouds(
    n: int, seeds: int, slopes: tuple[float, float]
) -> None:
    missed, made = 0, 0
    for seed in range(1000, 1800):
        cells = cloud(seed, slopes, n, seeds)
        try:
            found = surface_contrast(cells, AXES, "flops")
        except NothingToCompareError:
            continue
        made += 1
        missed += not found.low <= truth(cells, slopes) <= found.high
    assert made > 700
    assert missed / made <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / made)
    assert missed / made >= 0.05 - 3 * math.sqrt(0.05 * 0.95 / made)  # nor needlessly wide


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (cloud(1, n=8), "takes 10 shapes or more, and 8 have a flops"),
        ([], "and 0 have a flops"),
        (
            [replace(c, **{a: 16}) for a, c in zip(AXES * 10, cloud(1, n=20), strict=True)],
            "depth and width are never changed together",
        ),
        (
            [replace(c, width=float(c.depth)) for c in cloud(1)],
            "depth and width change together",
        ),
        (
            [replace(c, costs={"flops": (1e9 / c.depth * c.width,)}) for c in cloud(1)],
            "flops does not clearly rise with depth",
        ),
        (
            [replace(c, costs={"flops": (c.width**2 * (1 + 1e-9 * c.depth),)}) for c in cloud(1)],
            "flops does not clearly rise with depth",
        ),
    ],
)
def test_what_has_no_surface_says_why(cells: list[Cell], said: str) -> None:
    with pytest.raises(NothingToCompareError, match=said):
        surface_contrast(cells, AXES, "flops")
