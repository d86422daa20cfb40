"""Independent means of ln(error), or of raw outcomes, and functions of them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtrit

from analysis.stats.interpolation import Floats
from analysis.study.cells import Cell
from analysis.study.noise import Noise, Variance

# Outer nodes of Gauss and Hermite's rule with three points, in SD; they weigh 1/6 each.
NODE = math.sqrt(3)


@dataclass(frozen=True)
class CellMeans:
    """The means of the outcomes of `cells` on their scale, whose seeds scatter as `noise` says."""

    cells: tuple[Cell, ...]
    noise: Noise

    @cached_property
    def y(self) -> Floats:
        """The means, (cells,)."""
        return np.array([cell.scaled for cell in self.cells])

    @cached_property
    def se(self) -> Floats:
        """Their standard errors, (cells,)."""
        return np.sqrt([self._sum([cell], [1.0])[0] for cell in self.cells])

    def at(self, cells: Iterable[Cell]) -> list[int]:
        """Where cells stand among these."""
        place = {cell.config_id: number for number, cell in enumerate(self.cells)}
        return [place[cell.config_id] for cell in cells]

    def half_widths(self, at: Sequence[int], weights: Floats, alpha: float) -> float:
        """A sum of weighted means over the half width of its 1 - alpha interval."""
        variance, df, _ = self._sum([self.cells[i] for i in at], weights**2)
        half = float(stdtrit(min(df, 1e9), 1 - alpha / 2)) * math.sqrt(variance)
        value = float(weights @ self.y[list(at)])
        return value / half if half else math.copysign(math.inf, value)

    def moments(
        self, value: Callable[[Floats], Floats], groups: Iterable[Sequence[int]]
    ) -> tuple[float, list[Variance]]:
        """A function of means (..., cells) without bias, and its variances with their df.

        To second order: each mean is moved up and down by sqrt(3) SE (Julier & Uhlmann 1997), the
        average of the values less that at the means is the bias. In each of `groups`, means by
        their places, what two of them do together beyond what each does alone counts as well.
        """
        step = NODE * np.diag(self.se)
        middle = float(value(self.y))
        up, down = value(self.y + step) - middle, value(self.y - step) - middle
        bias = (up + down) / 6
        own = (up**2 + down**2) / 6 - bias**2
        known = self.se > 0
        shares = np.divide(own, self.se**2, out=np.zeros_like(own), where=known)
        variance = self._sum(self.cells, shares)
        pairs = [(a, b) for g in groups for n, a in enumerate(g) for b in g[n + 1 :]]
        joint = variance._replace(value=self._joint(value, pairs))
        return middle - float(bias.sum()), [variance, joint]

    def _joint(self, value: Callable[[Floats], Floats], pairs: Sequence[tuple[int, int]]) -> float:
        step = np.diag(self.se)
        first, second = (step[[pair[n] for pair in pairs]] for n in (0, 1))
        signs = ((1, first + second), (1, -first - second), (-1, first - second))
        values = [sign * value(self.y + move) for sign, move in (*signs, (-1, second - first))]
        return float(np.sum((sum(values) / 4) ** 2))

    def _sum(self, cells: Sequence[Cell], shares: Sequence[float] | Floats) -> Variance:
        """Variance and df of a sum; each mean's variance counts `shares` times."""
        each = zip(cells, shares, strict=True)
        factors = {c.config_id: float(share) * c.slope**2 / c.n for c, share in each}
        return self.noise.of_sum(factors)
