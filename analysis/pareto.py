"""Exact Pareto frontiers of (cost, error), both minimised, and what seed noise does to them.

The frontier is that of cell means. Taking the best seed of each cell instead would be biased
towards low error, the more so the more seeds there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.noise import Cell, Noise

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
DRAWS = 2000


def on_frontier(cost: Floats, error: Floats) -> Mask:
    """Which points no other point beats: at most equal in both columns and less in one.

    Exact duplicates share their fate. Sorts once, O(n log n).

    Raises:
        ValueError: a value is not finite, or the lengths differ.
    """
    if cost.shape != error.shape or not (np.isfinite(cost).all() and np.isfinite(error).all()):
        raise ValueError("cost and error must be finite and of equal length")
    if cost.size == 0:
        return np.zeros(0, dtype=bool)
    order = np.lexsort((error, cost))
    c, e = cost[order], error[order]
    before = np.concatenate([[np.inf], np.minimum.accumulate(e)[:-1]])
    # Index of the last point that improved on all cheaper ones; its duplicates follow it.
    last = np.maximum.accumulate(np.where(e < before, np.arange(e.size), 0))
    mask = np.empty(e.size, dtype=bool)
    mask[order] = (e == e[last]) & (c == c[last])
    return mask


@dataclass(frozen=True)
class Frontier:
    """Cells by rising cost, one entry per cell in every array; errors are fractions.

    `best` is the least mean error at that cost or less, `low` and `high` its 95 % percentile
    band, `sure_low` and `sure_high` a band that covers it with at least 95 % confidence;
    `probability` that the cell is on the frontier. Bands are NaN where nothing says how runs
    scatter.
    """

    cells: tuple[Cell, ...]
    cost: Floats
    error: Floats
    se: Floats
    member: Mask
    best: Floats
    low: Floats
    high: Floats
    sure_low: Floats
    sure_high: Floats
    probability: Floats


def max_t(cells: int, df: float, level: float = 0.95) -> float:
    """Quantile of the largest |t| of independent means that share one variance estimate."""
    generator = np.random.default_rng(19960)
    largest = np.abs(generator.standard_normal((DRAWS * 5, cells))).max(axis=1)
    if math.isfinite(df):
        largest /= np.sqrt(generator.chisquare(df, DRAWS * 5) / df)
    return float(np.quantile(largest, level))


def _sure_half_width(noise: Noise, cells: Sequence[Cell], se: Floats) -> Floats:
    """Half widths that hold for all cells at once; the fewest degrees of freedom count."""
    return max_t(len(cells), min(noise.dfs[c.config_id] for c in cells)) * se


def frontier_of(cells: Sequence[Cell], axis: str, noise: Noise | None) -> Frontier:
    """The frontier of the cells whose cost on `axis` was measured.

    Raises:
        ValueError: no cell has a cost.
    """
    known = sorted((c for c in cells if c.cost(axis)), key=lambda c: (c.cost(axis), c.error))
    if not known:
        raise ValueError(f"no cell has a measured {axis}")
    cost = np.array([c.cost(axis) for c in known], dtype=np.float64)
    error = np.array([c.error for c in known])
    nothing = np.full(error.size, np.nan)
    se, half = nothing, nothing
    low, high, probability = nothing, nothing, nothing
    if noise is not None:
        se = np.sqrt([noise.variances[c.config_id] / c.n for c in known])
        half = _sure_half_width(noise, known, se)
        generator = np.random.default_rng(20210313)
        draws = error + se * generator.standard_normal((DRAWS, error.size))
        low, high = np.quantile(np.minimum.accumulate(draws, axis=1), [0.025, 0.975], axis=0)
        probability = np.mean([on_frontier(cost, draw) for draw in draws], axis=0)
    return Frontier(
        cells=tuple(known),
        cost=cost,
        error=error,
        se=se,
        member=on_frontier(cost, error),
        best=np.minimum.accumulate(error),
        low=low,
        high=high,
        sure_low=np.minimum.accumulate(error - half),
        sure_high=np.minimum.accumulate(error + half),
        probability=probability,
    )
