"""Configurations as columns of numbers, one row each, and what rules about laws need of them.

Planning asks too, so nothing here is slow or loads what fits laws.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analysis.fits.forms import Floats
from analysis.fits.inputs import check_identified, usable
from analysis.fits.laws import FORMS, SIZE
from analysis.study.cells import Cell
from analysis.study.noise import Noise
from scaling_study.common.errors import InputError

Points = Mapping[str, Floats]
Rows = npt.NDArray[np.int_]
# Configurations, and different costs, that a law of cost needs.
LEAST = 10


def points_of(cells: Sequence[Cell], cost: str, noise: Noise | None = None) -> Points:
    """Cells whose cost is known, in columns.

    depth, width, resolution (px), epochs, n (seeds), cost, error (fraction), its variance between
    seeds (NaN with one), and se: the standard error of `error`, NaN without `noise`; `group`
    numbers what differs beside the axes.
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
        "variance": np.array([c.variance for c in known]),
        "se": np.sqrt(variances),
    }


def one_family(cells: Sequence[Cell]) -> None:
    """Raises InputError for cells of several families, which have a law each."""
    if len(found := sorted({c.family for c in cells if c.family})) > 1:
        raise InputError(f"{' and '.join(found)}: families have a law each, not one together")


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


def different_costs(points: Points) -> None:
    """Raises InputError for fewer than ten configurations or costs that hardly differ."""
    n = len(points["error"])
    if n < LEAST or len(np.unique(points["cost"])) < LEAST:
        raise InputError(f"{n} configurations; a law of cost needs {LEAST} different costs")
    if (points["error"] <= 0).any() or (points["cost"] <= 0).any():
        raise InputError("errors and costs must be positive")


def quadratic_in_size(points: Points) -> None:
    """Raises InputError where a quadratic in depth, width and resolution has too few levels."""
    form = FORMS["quad3"]
    x = np.stack([points[axis] for axis in SIZE], axis=1)
    used = usable(form, points["error"], x, np.ones(len(x)))
    logs = np.log(x[used])
    check_identified(form, logs - logs.mean(axis=0))
