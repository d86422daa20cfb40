"""R2 and R2-depth: what single steps in resolution and depth return, with few and many steps."""

import math
from dataclasses import dataclass

import numpy as np

from calibration.case import Case, Rows

RESOLUTIONS = (112, 128, 160, 320, 384, 448)


@dataclass(frozen=True)
class Grid:
    """Networks of `depths` at all resolutions; ln(error) falls by the elasticities times ln(cost).

    Configurations scatter about that with the SD `scatter` of each step, independently: steps are
    what the rule counts. `first` and `last` are the elasticities of resolution up to 160 px and
    from 320 px on, `deep` that of depth.
    """

    depths: int
    first: float
    last: float
    deep: float = 0.1
    scatter: float = 0.005

    def rows(self, rng: np.random.Generator) -> Rows:
        rows = []
        for k in range(self.depths):
            level = math.log(0.4) - self.deep * math.log(1 + k)
            for i, px in enumerate(RESOLUTIONS):
                if i:
                    elasticity = self.first if RESOLUTIONS[i - 1] <= 160 else self.last
                    step = 2 * math.log(px / RESOLUTIONS[i - 1])
                    level -= elasticity * step + self.scatter * rng.standard_normal()
                for seed in range(2):
                    error = math.exp(level) * (1 + 1e-4 * rng.standard_normal())
                    rows.append(
                        {
                            **{"config_id": f"d{k}-r{px}", "run_id": f"d{k}-r{px}-s{seed}"},
                            **{"depth": 50.0 * (1 + k), "width": 1.0, "resolution": px},
                            **{"epochs": 90, "seed": seed, "status": "ok", "n_val": 50_000},
                            **{"val_error": error, "flops": 1e9 * (1 + k) * (px / 128) ** 2},
                        }
                    )
        return rows


CASES = [
    Case("R2", f"true ratio at the margin, {depths} depths", 0.5, Grid(depths, 0.2, 0.1).rows)
    for depths in (2, 3, 6, 12)
]
