"""Exact Pareto frontiers of cost and error, all minimised, and what seed noise does to them.

The frontier is that of cell means. Taking the best seed of each cell instead would be biased
towards low error, the more so the more seeds there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import numpy.typing as npt

from analysis.study.cells import Cell
from analysis.study.noise import Noise

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
DRAWS = 2000


def on_frontier(*objectives: Floats) -> Mask:
    """Which points no other point beats: at most equal in all columns and less in one.

    Exact duplicates share their fate. O(n log n) in two columns, O(n log^(d-2) n) in more (Kung,
    Luccio & Preparata 1975).

    Raises:
        ValueError: no column, a value is not finite, or the lengths differ.
    """
    shapes = {column.shape for column in objectives}
    if len(shapes) != 1 or not all(np.isfinite(column).all() for column in objectives):
        raise ValueError("objectives must be finite and of equal length")
    points = np.column_stack(objectives)
    if points.shape[0] == 0 or points.shape[1] == 1:
        return np.asarray(points == points.min(initial=np.inf)).ravel()
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


@dataclass(frozen=True)
class Frontier:
    """Cells by rising cost, one entry per cell in every array; errors are fractions.

    `best` is the least mean error of the cells that cost at most as much, `low` and `high` its
    pointwise 95 % band, `simultaneous_low` and `simultaneous_high` a band that covers it at all
    costs at once with at least 95 % confidence; `probability` that the cell is on the frontier.
    Bands are NaN where nothing says how runs scatter.

    The pointwise band holds the percentiles of redrawn frontiers and their reflection about `best`:
    the least of several noisy means is too small, of redrawn ones once more, and percentiles alone
    cover as little as 64 % where many cells are nearly equal. Means are drawn by Student's t.
    """

    cells: tuple[Cell, ...]
    cost: Floats
    error: Floats
    se: Floats
    member: Mask
    best: Floats
    low: Floats
    high: Floats
    simultaneous_low: Floats
    simultaneous_high: Floats
    probability: Floats


def max_t(cells: int, df: float, confidence: float = 0.95) -> float:
    """Quantile of the largest |t| of independent means that share one variance estimate."""
    generator = np.random.default_rng(19960)
    largest = np.abs(generator.standard_normal((DRAWS * 5, cells))).max(axis=1)
    if math.isfinite(df):
        largest /= np.sqrt(generator.chisquare(df, DRAWS * 5) / df)
    return float(np.quantile(largest, confidence))


def affordable(costs: Floats) -> Mask:
    """Entry i, j: whether cell j costs at most as much as cell i on every axis."""
    return np.asarray((costs[None, :, :] <= costs[:, None, :]).all(axis=2))


def least(errors: Floats, eligible: Mask) -> Floats:
    """Least error of each row's eligible cells; `errors` is (cells,) or (cells, draws).

    Rows without an eligible cell are infinite.
    """
    return np.array([errors[row].min(axis=0, initial=np.inf) for row in eligible])


def frontier_of(cells: Sequence[Cell], axis: str, noise: Noise | None) -> Frontier:
    """The frontier of error and a cost, of the cells that have it; ValueError if none has."""
    known = [(paid, cell.error, cell) for cell in cells if (paid := cell.cost(axis))]
    if not known:
        raise ValueError(f"no cell has a measured {axis}")
    costs, errors, known_cells = zip(*sorted(known, key=lambda x: x[:2]), strict=True)
    cost, error = np.array(costs), np.array(errors)
    eligible = affordable(cost[:, None])
    best = least(error, eligible)
    se, half, low, high, probability = np.full((5, error.size), np.nan)
    if noise is not None:
        se = np.sqrt([noise.variances[c.config_id] / c.n for c in known_cells])
        # Half widths that hold for all cells at once; the fewest degrees of freedom count.
        fewest = min(noise.dfs[c.config_id] for c in known_cells)
        half = se * max_t(error.size, fewest)
        generator = np.random.default_rng(20210313)
        drawn = se * generator.standard_normal((DRAWS, error.size))
        if math.isfinite(fewest):
            drawn /= np.sqrt(generator.chisquare(fewest, (DRAWS, 1)) / fewest)
        draws = (error + drawn).T.copy()
        least_draws = least(draws, eligible)
        low, high = np.quantile(least_draws, [0.025, 0.975], axis=1)
        low, high = np.minimum(low, 2 * best - high), np.maximum(high, 2 * best - low)
        cheaper = least(draws, cost[None, :] < cost[:, None])
        probability = ((draws == least_draws) & (draws < cheaper)).mean(axis=1)
    return Frontier(
        cells=known_cells,
        cost=cost,
        error=error,
        se=se,
        member=on_frontier(cost, error),
        best=best,
        low=low,
        high=high,
        simultaneous_low=least(error - half, eligible),
        simultaneous_high=least(error + half, eligible),
        probability=probability,
    )
