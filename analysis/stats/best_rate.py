"""The best learning rate of one network: a parabola of ln(error) through three rates.

With x = ln(rate / own rate) it is b x + c x^2 from the error at the own rate. Nothing is
extrapolated: what is best is looked for between the outermost rates.
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.stats.cell_means import CellMeans
from analysis.stats.contrast import t_quantile
from analysis.stats.interpolation import Floats
from analysis.study.cells import Cell
from analysis.study.noise import Noise, welch_satterthwaite

# Points between the outermost rates where the slope of the parabola is tested.
POINTS = 41


@dataclass(frozen=True)
class Rates:
    """A network, as `name` calls it, at three rising learning rates; the middle one is its own."""

    name: str
    cells: tuple[Cell, Cell, Cell]

    @property
    def x(self) -> tuple[float, float]:
        """ln(rate / own rate) of the lowest and the highest rate."""
        low, _, high = (math.log(cell.lr_factor) for cell in self.cells)
        return low, high

    @property
    def contrasts(self) -> Floats:
        """Weights of the three means of ln(error) in b and in c, (2, 3)."""
        low, high = self.x
        outer = np.linalg.inv(np.array([[low, low**2], [high, high**2]]))
        return np.insert(outer, 1, -outer.sum(axis=1), axis=1)


@dataclass(frozen=True)
class BestRate:
    """The best learning rate of a network, as a `factor` of its own `rate`.

    `low` and `high` are the ends of its interval (Fieller 1954), which stops at the outermost rates
    `tried`, factors too; `gain` is what it takes off ln(error), with its interval. `located` says
    whether the parabola has its minimum between the rates. Where it has not, and the error is seen
    to differ between rates, the best one lies `outside`.
    """

    name: str
    epochs: int
    rate: float
    tried: tuple[float, float]
    factor: float
    low: float
    high: float
    gain: tuple[float, float, float]
    located: bool
    outside: bool


def least(b: Floats, c: Floats, low: Floats | float, high: Floats | float) -> Floats:
    """The least value of b x + c x^2 for low <= x <= high."""
    edges = np.minimum(low * (b + c * low), high * (b + c * high))
    x = np.divide(-b, 2 * c, out=np.full_like(edges, np.inf), where=c > 0)
    inside = (low < x) & (x < high)
    return np.where(inside, b / 2 * np.where(inside, x, 0.0), edges)


def best_rate(rates: Rates, noise: Noise, alpha: float) -> BestRate:
    """What three rates say of the best one, with 1 - alpha intervals."""
    means = CellMeans(rates.cells, noise)
    weights, (low, high) = rates.contrasts, rates.x
    b, c = weights @ means.y
    grid = np.linspace(low, high, POINTS)
    located = bool(c > 0 and low < -b / (2 * c) < high)
    best = float(-b / (2 * c) if located else grid[np.argmin(b * grid + c * grid**2)])
    possible = [best, *_possible(means, weights, grid, alpha)]
    rises = abs(means.half_widths((0, 1, 2), weights[0], alpha)) > 1
    peaks = means.half_widths((0, 1, 2), weights[1], alpha) < -1
    return BestRate(
        name=rates.name,
        epochs=rates.cells[1].epochs,
        rate=rates.cells[1].trained_lr,
        tried=(math.exp(low), math.exp(high)),
        factor=math.exp(best),
        low=math.exp(min(possible)),
        high=math.exp(max(possible)),
        gain=_gain(means, weights, (low, high), alpha),
        located=located,
        outside=not located and (rises or peaks),
    )


def _possible(means: CellMeans, weights: Floats, grid: Floats, alpha: float) -> Floats:
    """Where the least value may be: where no slope is seen, and at ends that it falls towards."""
    slopes = (weights[0] + 2 * x * weights[1] for x in grid)
    sizes = np.array([means.half_widths((0, 1, 2), slope, alpha) for slope in slopes])
    possible = np.abs(sizes) <= 1
    possible[0] |= sizes[0] > 0
    possible[-1] |= sizes[-1] < 0
    return np.asarray(grid[possible])


def _gain(
    means: CellMeans, weights: Floats, ends: tuple[float, float], alpha: float
) -> tuple[float, float, float]:
    """What the best rate takes off ln(error), with its interval; never negative."""

    def gain(y: Floats) -> Floats:
        b, c = (y @ w for w in weights)
        return -least(b, c, *ends)

    estimate, parts = means.moments(gain, [(0, 1, 2)])
    variance, df, _ = welch_satterthwaite(parts)
    half = t_quantile(df, 1 - alpha / 2) * math.sqrt(variance)
    value, low, high = (max(v, 0.0) for v in (estimate, estimate - half, estimate + half))
    return value, low, high
