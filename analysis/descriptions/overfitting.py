"""How the train-validation gap grows along each arm: the mechanism behind depth against width.

The gap is validation error minus clean training error. No verdict: the arms have few cells, and a
gap that grows with an arm does not by itself cause its error.
"""

import math
from typing import Any

import numpy as np

from analysis.rules.rule import Preregistration
from analysis.stats.contrast import t_quantile
from analysis.study.study_cells import StudyCells


def slopes(cells: StudyCells, prereg: Preregistration) -> list[dict[str, Any]]:
    """Gain of the gap (fraction of error) per unit of ln(cost), by regime, setting and arm.

    Least squares through the arm's cells; the 95 % interval is Student's t with the seed noise of
    the gap, pooled within the regime. Empty where training error was not measured on two seeds,
    and without arms whose cells cost the same.
    """
    records = []
    gaps = cells.train_validation_gaps
    for epochs, regime in gaps.regimes.items():
        if all(c.n == 1 for c in regime) or (noise := gaps.noise(epochs)) is None:
            continue
        for pair in regime.pairs(epochs, prereg.cost):
            for arm, members in zip(cells.arms, (pair.first, pair.second), strict=True):
                x = np.log([c.cost(prereg.cost) or math.nan for c in members])
                if not (spread := float(((x - x.mean()) ** 2).sum())) > 0:
                    continue  # all of one cost, or of none
                weights = (x - x.mean()) / spread
                terms = {
                    c.config_id: float(w**2) * noise.variances[c.config_id] / c.n
                    for c, w in zip(members, weights, strict=True)
                }
                slope = float(weights @ [c.error for c in members])
                half = t_quantile(noise.df(terms), 0.975) * math.sqrt(sum(terms.values()))
                record = {"epochs": epochs, "setting": pair.label, "arm": arm, "slope": slope}
                records.append(record | {"low": slope - half, "high": slope + half})
    return records
