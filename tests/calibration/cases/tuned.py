"""Rules that say `tuned: lr`, where the recipe's learning rate favours an arm or does not.

Error over the learning rate is no parabola here: with u = ln(rate / best rate) it is
exp(k (cosh(u) - 1 + s (sinh(u) - u))), which is steeper above the best rate than below it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.case import Case, Rows
from calibration.simulator import LONG, SHORT, Regime, TwoArms

MARGIN = 0.005
SKEW = 0.2
FACTORS = (0.5, 2.0)


@dataclass(frozen=True)
class TunedArms(TwoArms):
    """Arms whose gap is that at their best rates.

    `best` is ln(best rate / recipe's) of the base, the end of the depth arm and that of the width
    arm, `curvature` the k there; within an arm both change in proportion to ln(cost).
    """

    best: Sequence[float] = (0.0, 0.0, 0.0)
    curvature: Sequence[float] = (0.08, 0.08, 0.08)

    def penalty(self, arm: int, cost: float, factor: float) -> float:
        """What a rate costs in ln(error), at this cost along the depth (1) or width arm (2)."""
        top = (self.depth_costs, self.width_costs)[arm - 1][-1]
        share = math.log(cost) / math.log(top)
        x, k = (v[0] + share * (v[arm] - v[0]) for v in (self.best, self.curvature))
        u = math.log(factor) - x
        return k * (math.cosh(u) - 1 + SKEW * (math.sinh(u) - u))

    def cells(self, regime: Regime) -> list[tuple[float, float, float, float]]:
        """The arms' cells at the recipe's rate, then their ends at the others."""
        own = super().cells(regime)
        arms = [2 if width > 0.25 else 1 for _, width, _, _ in own]
        ends = [0, len(self.depth_costs) - 1, len(own) - 1]
        runs = [(n, 1.0) for n in range(len(own))] + [(n, f) for f in FACTORS for n in ends]
        return [(*own[n][:3], own[n][3] + self.penalty(arms[n], own[n][2], f)) for n, f in runs]

    def rows(self, rng: np.random.Generator) -> Rows:
        """The runs of one study, those at other rates by their factor."""
        count = len(self.depth_costs) + len(self.width_costs) - 1
        rows = super().rows(rng)
        for row in rows:
            number = int(row["config_id"].split("-")[0][1:])
            if number >= count:
                row["lr_factor"] = FACTORS[(number - count) // 3]
        return rows


# ln(best rate / recipe's) at the base and both ends, and the sensitivity there.
DESIGNS: dict[str, dict[str, Any]] = {
    "the recipe's rate is best everywhere": {},
    "the recipe's rate favours depth": {"best": (0.0, 0.0, -0.5)},
    "the recipe's rate favours width": {"best": (0.0, -0.5, 0.0)},
    "best rates fall along both arms": {"best": (0.2, -0.4, -0.4)},
    "the rate matters more along width": {"best": (0, -0.3, -0.3), "curvature": (0.08, 0.04, 0.2)},
    "the rate hardly matters": {"best": (0.0, 0.0, -0.3), "curvature": (0.02, 0.02, 0.02)},
    "the rate does not matter": {"curvature": (0.0, 0.0, 0.0)},
    "runs at other rates scatter twice as much": {
        "best": (0.0, 0.0, -0.5),
        "factors": (1.0,) * 5 + (2.0,) * 6,
    },
    "the best rate of width lies outside those tried": {"best": (0.0, 0.0, -1.0)},
}


def tuned_arms(design: str, seeds: int) -> TunedArms:
    """The default study at the margin, with the ends of its arms at other rates."""
    regimes = (
        Regime(SHORT.epochs, 0.0, SHORT.error, SHORT.sd),
        Regime(LONG.epochs, MARGIN, LONG.error, LONG.sd),
    )
    return TunedArms(regimes, seeds=seeds, **DESIGNS[design])


def tuned_rules(rule: str) -> dict[str, Any]:
    """The packaged rules with this one tuned."""
    return {"rules": {rule: {"tuned": "lr"}}}


def _case(rule: str, design: str, seeds: int) -> Case:
    made = tuned_arms(design, seeds)
    return Case(rule, f"tuned: {design}, {seeds} seeds", MARGIN, made.rows, tuned_rules(rule))


FAVOURED = "the recipe's rate favours depth"
CASES = [
    *(_case("R1-long", design, 3) for design in DESIGNS),
    _case("R1-long", FAVOURED, 5),
    _case("R1-interaction", FAVOURED, 3),
]
