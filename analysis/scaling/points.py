"""Configurations as columns of numbers, one row each: what fits and tests of scaling rules take."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.fits.forms import Floats
from analysis.noise import Cell, Noise
from analysis.published_tables import read

AXES = ("depth", "width", "resolution")
Points = Mapping[str, Floats]
Rows = npt.NDArray[np.int_]


def points_of(cells: Sequence[Cell], cost: str, noise: Noise | None = None) -> Points:
    """Cells whose cost is known, in columns.

    depth, width, resolution (px), epochs, n (seeds), cost, error (fraction) and se: the standard
    error of `error`, NaN without `noise`; `group` numbers what differs beside the axes.
    """
    known = [c for c in cells if c.cost(cost) is not None]
    axes = {axis: np.array([c.value(axis) for c in known]) for axis in (*AXES, "epochs")}
    variances = [noise.variances[c.config_id] / c.n if noise else math.nan for c in known]
    groups = sorted({c.apart for c in known})
    return axes | {
        "group": np.array([float(groups.index(c.apart)) for c in known]),
        "n": np.array([float(c.n) for c in known]),
        "cost": np.array([c.cost(cost) or math.nan for c in known]),
        "error": np.array([c.error for c in known]),
        "se": np.sqrt(variances),
    }


def figure_2(sd: float = 0.001) -> Points:
    """Bello et al. 2021 (arXiv 2103.07579), Figure 2, digitised: 350 epochs, one run per cell.

    `cost` is 2 x multiply-adds; `sd` is the standard deviation of a run's error (fraction), which
    the paper does not give. Cells that are not readable in the figure are left out.
    """
    rows = [row for row in read("fig2_grid_350ep") if row["top1_pct_digitized"]]
    columns = {
        "depth": "depth",
        "width": "width_multiplier",
        "resolution": "image_res_px",
        "epochs": "epochs",
    }
    numbers: dict[str, Any] = {
        name: np.array([float(row[column]) for row in rows]) for name, column in columns.items()
    }
    return numbers | {
        "group": np.zeros(len(rows)),
        "n": np.ones(len(rows)),
        "cost": np.array([1e9 * float(row["flops_B_predicted_fig2_variant"]) for row in rows]),
        "error": np.array([1 - float(row["top1_pct_digitized"]) / 100 for row in rows]),
        "se": np.full(len(rows), sd),
    }


def steps(points: Points, axis: str) -> tuple[Rows, Rows]:
    """Row numbers (before, after) of configurations one level apart on `axis`, others equal.

    Steps that cost nothing are left out: they have no return per cost.
    """
    others = [a for a in (*AXES, "epochs", "group") if a != axis]
    groups: dict[tuple[float, ...], list[int]] = {}
    for i in range(len(points["error"])):
        groups.setdefault(tuple(float(points[a][i]) for a in others), []).append(i)
    levels = {float(v): i for i, v in enumerate(np.unique(points[axis]))}
    pairs = []
    for members in groups.values():
        ranked = sorted(members, key=lambda i: float(points[axis][i]))
        for a, b in pairwise(ranked):
            neighbours = levels[float(points[axis][b])] - levels[float(points[axis][a])] == 1
            if neighbours and points["cost"][a] != points["cost"][b]:
                pairs.append((a, b))
    table = np.array(pairs, dtype=int).reshape(-1, 2)
    return table[:, 0], table[:, 1]
