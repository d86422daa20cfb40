"""Frontiers seed by seed: what a run of the whole grid would have drawn, and how it varies.

Replicate k of every cell makes one frontier. Their order statistics are the attainment surfaces
of Grunert da Fonseca, Fonseca & Hall 2001. Cells keep their mean cost: timing noise is not the
subject here.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import moocore
import numpy as np

from analysis.stats.pareto import Floats, affordable, least
from analysis.study.cells import Cell

BAND = (0.025, 0.5, 0.975)


class Attainment(NamedTuple):
    """Attainment surfaces at the cost of each cell, by rising cost; errors are fractions.

    `low`, `median` and `high` are the errors that 2.5, 50 and 97.5 % of the replicates attain at
    that cost or less. With fewer than 40 replicates the outer two are simply the best and the worst
    of them. `cross_validated` is the cross-fit value: each replicate scores the cell that the other
    replicates would choose, so that no choice profits from its own noise.
    """

    low: Floats
    median: Floats
    high: Floats
    cross_validated: Floats


def _grid(cells: Sequence[Cell], axis: str) -> tuple[Floats, Floats]:
    """Costs of the cells, rising, and errors (cells, replicates) of the seeds that all have."""
    known = sorted((c for c in cells if c.cost(axis)), key=lambda c: (c.cost(axis), c.error))
    count = min((c.n for c in known), default=0)
    if count < 2:
        raise ValueError(f"two seeds of every cell with a measured {axis} are needed")
    cost = np.array([c.cost(axis) for c in known], dtype=np.float64)
    return cost, np.array([c.errors[:count] for c in known])


def surface(frontiers: Floats, share: float) -> Floats:
    """Error that at least `share` of the frontiers, (cells, replicates), attain at each cost."""
    count = frontiers.shape[1]
    return np.asarray(np.sort(frontiers, axis=1)[:, max(math.ceil(share * count), 1) - 1])


def cross_fit(cost: Floats, errors: Floats) -> Floats:
    """Mean error of the cell chosen without the replicate that scores it, at each cost.

    `errors` is (cells, replicates). Its expectation is never below the true frontier.
    """
    eligible = affordable(cost[:, None])
    others = (errors.sum(axis=1, keepdims=True) - errors) / (errors.shape[1] - 1)
    chosen = [
        [np.flatnonzero(row)[np.argmin(column[row])] for column in others.T] for row in eligible
    ]
    return np.asarray(errors[np.array(chosen), np.arange(errors.shape[1])].mean(axis=1))


def attainment_of(cells: Sequence[Cell], axis: str) -> Attainment:
    """Median attainment surface, its band and the cross-fit value, from the seeds all cells have.

    Raises:
        ValueError: some cell with a cost has fewer than two seeds, or none has a cost.
    """
    cost, errors = _grid(cells, axis)
    frontiers = least(errors, affordable(cost[:, None]))
    low, median, high = (surface(frontiers, share) for share in BAND)
    return Attainment(low, median, high, cross_fit(cost, errors))


def deviation(cells: Sequence[Cell], axis: str) -> float:
    """How much the replicates' frontiers differ, as one number: a share of their mean volume.

    The Vorob'ev deviation (Binois, Ginsbourger & Roustant 2015): the mean area of (ln cost,
    ln error) between a replicate's frontier and the typical one, by moocore, over the mean
    hypervolume. The reference is a tenth of the range beyond the worst point.

    Raises:
        ValueError: some cell with a cost has fewer than two seeds, none has a cost, or an error
            is zero.
    """
    cost, errors = _grid(cells, axis)
    if (errors <= 0).any():
        raise ValueError("an error of zero has no logarithm")
    count = errors.shape[1]
    sets = np.repeat(np.arange(count), cost.size)
    points = np.log(np.column_stack([np.tile(cost, count), errors.T.ravel()]))
    reference = points.max(axis=0) + 0.1 * np.maximum(np.ptp(points, axis=0), 1e-9)
    volumes = [moocore.hypervolume(points[sets == s], ref=reference) for s in range(count)]
    return float(moocore.vorob_dev(points, sets, ref=reference) / np.mean(volumes))
