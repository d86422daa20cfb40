"""Studies of two arms with known gaps: surfaces, costs and noise unknown to the analysis.

True effects come from dense sums over the true curves, not from the analysis's weights.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.case import Rows

Floats = npt.NDArray[np.float64]
Curve = Callable[[Floats], Floats]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Noise of SD 1."""
    return rng.standard_normal(shape)


def t3(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 3 degrees of freedom, scaled to SD 1."""
    return np.asarray(rng.standard_t(3, shape) / math.sqrt(3))


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Skewed noise of mean 0 and SD 1: a lognormal of shape 0.5."""
    drawn = np.exp(0.5 * rng.standard_normal(shape))
    mean, variance = math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)
    return np.asarray((drawn - mean) / math.sqrt(variance))


def outliers(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise in which 5 % of the runs scatter four times as much; SD 1 in all."""
    wide = np.where(rng.random(shape) < 0.05, 4.0, 1.0)
    return np.asarray(rng.standard_normal(shape) * wide / math.sqrt(0.95 + 0.05 * 16))


@dataclass(frozen=True)
class Regime:
    """One length of training: its gap, error level and noise.

    `gap` is the true mean over the arms' common range of ln(cost) of ln(error of width) minus
    ln(error of depth); `error` that of the base; `sd` of a run in units of error.
    """

    epochs: int
    gap: float
    error: float
    sd: float


@dataclass(frozen=True)
class TwoArms:
    """A base with a depth arm and a width arm in several regimes.

    `depth_costs` and `width_costs` are relative to the base, which is the first of each. `factors`
    multiply the noise of each cell: the base, the depth arm, then the width arm. `drift` is the SD
    of ln(step time) of each cell in each regime, shared by its seeds; `timing` that of each run.
    """

    regimes: Sequence[Regime]
    seeds: Sequence[int] | int = 3
    depth_costs: Sequence[float] = (1.0, 1.6, 2.5)
    width_costs: Sequence[float] = (1.0, 1.5, 2.3)
    resolutions: Sequence[int] = (16,)
    noise: Noise = normal
    factors: Sequence[float] | None = None
    shock: float = 0.0
    drift: float = 0.0
    timing: float = 0.0
    missing: Sequence[int] = ()
    curve: float = 0.05
    shape: float = 0.3
    seconds: float = field(default=0.01)

    def curves(self, regime: Regime) -> tuple[Curve, Curve]:
        """True ln(error) of the depth and the width arm over ln(cost); equal at the base."""
        lean = self._lean()

        def depth(t: Floats) -> Floats:
            return np.asarray(math.log(regime.error) - 0.22 * t + self.curve * t**2)

        def width(t: Floats) -> Floats:
            return depth(t) + regime.gap * (t + self.shape * t**2) / lean

        return depth, width

    def _lean(self) -> float:
        """The mean of the gap's shape over the common range."""
        t = self.grid()
        return float(np.mean(t + self.shape * t**2))

    def grid(self) -> Floats:
        """Points of ln(cost) in the middle of equal parts of the arms' common range."""
        top = math.log(min(self.depth_costs[-1], self.width_costs[-1]))
        return (np.arange(20_000) + 0.5) * top / 20_000

    def mean_gap(self, regime: Regime, top: float) -> float:
        """The true mean gap of a regime from the base to a cost of `top` times the base's."""
        t = self.grid()
        t = t[t < math.log(top)]
        deep, wide = self.curves(regime)
        return float(np.mean(wide(t) - deep(t)))

    def regret(self) -> float:
        """What the arm that wins the first regime loses in the last, by the true curves.

        Both are means over the common range of ln(cost), the loss one of errors.
        """
        t, last = self.grid(), self.curves(self.regimes[-1])
        deep, wide = (float(np.mean(np.exp(curve(t)))) for curve in last)
        return max(0.0, deep - wide if self.regimes[0].gap > 0 else wide - deep)

    def rows(self, rng: np.random.Generator) -> Rows:
        """The runs of one study, as a table of results has them."""
        rows = []
        for regime in self.regimes:
            for resolution in self.resolutions:
                rows += self._runs(rng, regime, resolution)
        return rows

    def cells(self, regime: Regime) -> list[tuple[float, float, float, float]]:
        """Depth, width, relative cost and true ln(error) of each cell, the base first."""
        deep, wide = self.curves(regime)
        found = [(14.0, 0.25, 1.0, float(deep(np.zeros(1))[0]))]
        for k, cost in enumerate(self.depth_costs[1:], 1):
            found.append((14.0 + 12 * k, 0.25, cost, float(deep(np.log([cost]))[0])))
        for k, cost in enumerate(self.width_costs[1:], 1):
            found.append((14.0, 0.25 + 0.125 * k, cost, float(wide(np.log([cost]))[0])))
        return found

    def _runs(self, rng: np.random.Generator, regime: Regime, resolution: int) -> Rows:
        cells = self.cells(regime)
        seeds = [self.seeds] * len(cells) if isinstance(self.seeds, int) else list(self.seeds)
        factors = self.factors or [1.0] * len(cells)
        shocks = self.shock * rng.standard_normal(max(seeds))
        rows: list[dict[str, Any]] = []
        for index, (depth, width, cost, log_error) in enumerate(cells):
            errors = self.noise(rng, (seeds[index],)) * regime.sd * factors[index]
            mood = self.drift * rng.standard_normal()
            if index in self.missing:
                continue
            for seed in range(seeds[index]):
                error = math.exp(log_error) + errors[seed] + shocks[seed] * regime.sd
                time = self.seconds * cost * math.exp(mood + self.timing * rng.standard_normal())
                rows.append(
                    {
                        "config_id": f"c{index}-r{resolution}-e{regime.epochs}",
                        "run_id": f"c{index}-r{resolution}-e{regime.epochs}-s{seed}",
                        **{"depth": depth, "width": width, "resolution": resolution},
                        **{"epochs": regime.epochs, "seed": seed, "status": "ok"},
                        **{"val_error": min(max(error, 1e-4), 1.0), "n_val": 8000},
                        **{"step_time_s": time, "flops": 1e7 * cost * (resolution / 16) ** 2},
                    }
                )
        return rows


# +grid=depth_vs_width_large: errors and noise as its pilot measured them.
SHORT, LONG = Regime(4, 0.0, 0.55, 0.012), Regime(20, 0.0, 0.32, 0.007)


def study(short: float = 0.0, long: float = 0.0, **settings: Any) -> TwoArms:
    """Two arms of three cells with these gaps in two regimes."""
    return TwoArms((replace(SHORT, gap=short), replace(LONG, gap=long)), **settings)
