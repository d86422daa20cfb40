"""Configurations as columns of numbers, one row each: what fits and tests of scaling rules take."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analysis.fits.forms import Floats
from analysis.fits.laws import SIZE
from analysis.study.cells import Cell
from analysis.study.noise import Noise

Points = Mapping[str, Floats]
Rows = npt.NDArray[np.int_]


def points_of(cells: Sequence[Cell], cost: str, noise: Noise | None = None) -> Points:
    """Cells whose cost is known, in columns.

    depth, width, resolution (px), epochs, n (seeds), cost, error (fraction) and se: the standard
    error of `error`, NaN without `noise`; `group` numbers what differs beside the axes.
    """
    known = [c for c in cells if c.cost(cost) is not None]
    axes = {axis: np.array([c.value(axis) for c in known]) for axis in (*SIZE, "epochs")}
    variances = [noise.variances[c.config_id] / c.n if noise else math.nan for c in known]
    groups = sorted({c.comparison_group for c in known})
    return axes | {
        "group": np.array([float(groups.index(c.comparison_group)) for c in known]),
        "n": np.array([float(c.n) for c in known]),
        "cost": np.array([c.cost(cost) or math.nan for c in known]),
        "error": np.array([c.error for c in known]),
        "se": np.sqrt(variances),
    }


def steps(points: Points, axis: str) -> tuple[Rows, Rows]:
    """Row numbers (before, after) of configurations one level apart on `axis`, others equal.

    Steps that cost nothing are left out: they have no return per cost.
    """
    others = [points[a] for a in (*SIZE, "epochs", "group") if a != axis]
    _, first, inverse = np.unique(
        np.stack(others, axis=1), axis=0, return_index=True, return_inverse=True
    )
    group = first[inverse.ravel()]
    level = np.unique(points[axis], return_inverse=True)[1]
    order = np.lexsort([level, group])
    a, b = order[:-1], order[1:]
    kept = (group[a] == group[b]) & (level[b] - level[a] == 1)
    kept &= points["cost"][a] != points["cost"][b]
    return a[kept], b[kept]
