"""Exact Pareto frontiers of costs and error, all minimised, and what seed noise does to them.

The frontier is that of cell means. Taking the best seed of each cell instead would be biased
towards low error, the more so the more seeds there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.study.cells import Cell
from analysis.study.noise import Noise

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
DRAWS = 2000


def on_frontier(*objectives: Floats) -> Mask:
    """Which points no other point beats: at most equal in all columns and less in one.

    Exact duplicates share their fate. Two columns are sorted once, O(n log n); from three on
    moocore decides, O(n log^(d-2) n) (Kung, Luccio & Preparata 1975).

    Raises:
        ValueError: no column, a value is not finite, or the lengths differ.
    """
    shapes = {column.shape for column in objectives}
    if len(shapes) != 1 or not all(np.isfinite(column).all() for column in objectives):
        raise ValueError("objectives must be finite and of equal length")
    if objectives[0].size == 0:
        return np.zeros(0, dtype=bool)
    if len(objectives) == 1:
        return np.asarray(objectives[0] == objectives[0].min())
    if len(objectives) == 2:
        return _on_plane(*objectives)
    import moocore

    points = np.column_stack(objectives)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


def _on_plane(cost: Floats, error: Floats) -> Mask:
    """Two columns. Those at the running minimum of error are few, or in order already."""
    order = np.argsort(cost)
    e = error[order]
    near = np.flatnonzero(e == np.minimum.accumulate(e))
    order, e = order[near], e[near]
    c = cost[order]
    # Costs rise and errors fall: equal costs end with the least error of theirs, equal errors
    # start with the least cost of theirs.
    new_cost = np.append(c[1:] != c[:-1], True)
    new_error = np.append(True, e[1:] != e[:-1])
    last = np.flatnonzero(new_cost)[np.cumsum(new_cost) - new_cost]
    first = np.flatnonzero(new_error)[np.cumsum(new_error) - 1]
    mask = np.zeros(cost.size, dtype=bool)
    mask[order[(e == e[last]) & (c == c[first])]] = True
    return mask


@dataclass(frozen=True)
class Frontier:
    """Cells by rising cost, one entry per cell in every array; errors are fractions.

    `costs` has a column per entry of `axes`. `best` is the least mean error of the cells that
    cost at most as much on every axis, `low` and `high` its pointwise 95 % percentile band,
    `simultaneous_low` and `simultaneous_high` a band that covers it at all costs at once with at
    least 95 % confidence; `probability` that the cell is on the frontier. Bands are NaN where
    nothing says how runs scatter.
    """

    cells: tuple[Cell, ...]
    axes: tuple[str, ...]
    costs: Floats
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


def _probability(costs: Floats, draws: Floats, best: Floats) -> Floats:
    """Share of draws, (cells, draws), with each cell on the frontier."""
    same = (costs[None, :, :] == costs[:, None, :]).all(axis=2)
    cheaper = least(draws, affordable(costs) & ~same)
    return np.asarray(((draws == best) & (draws < cheaper)).mean(axis=1))


def _known(cells: Sequence[Cell], axes: Sequence[str]) -> tuple[tuple[Cell, ...], Floats]:
    """The cells measured on every axis with their costs, cheapest first."""
    costs = [(tuple(c.cost(axis) or math.nan for axis in axes), c) for c in cells]
    known = sorted((x for x in costs if np.isfinite(x[0]).all()), key=lambda x: (*x[0], x[1].error))
    if not known:
        raise ValueError(f"no cell has a measured {' and '.join(axes)}")
    return tuple(c for _, c in known), np.array([x for x, _ in known])


def frontier_of(cells: Sequence[Cell], axis: str | Sequence[str], noise: Noise | None) -> Frontier:
    """The frontier of error and one or more costs, of the cells where all of them were measured.

    Raises:
        ValueError: no cell has all costs.
    """
    axes = (axis,) if isinstance(axis, str) else tuple(axis)
    known, costs = _known(cells, axes)
    error = np.array([c.error for c in known])
    eligible = affordable(costs)
    best = least(error, eligible)
    se, half, low, high, probability = np.full((5, error.size), np.nan)
    if noise is not None:
        se = np.sqrt([noise.variances[c.config_id] / c.n for c in known])
        # Half widths that hold for all cells at once; the fewest degrees of freedom count.
        half = se * max_t(len(known), min(noise.dfs[c.config_id] for c in known))
        generator = np.random.default_rng(20210313)
        draws = (error + se * generator.standard_normal((DRAWS, error.size))).T.copy()
        least_draws = least(draws, eligible)
        low, high = np.quantile(least_draws, [0.025, 0.975], axis=1)
        probability = _probability(costs, draws, least_draws)
    return Frontier(
        cells=known,
        axes=axes,
        costs=costs,
        error=error,
        se=se,
        member=on_frontier(*costs.T, error),
        best=best,
        low=low,
        high=high,
        simultaneous_low=least(error - half, eligible),
        simultaneous_high=least(error + half, eligible),
        probability=probability,
    )
