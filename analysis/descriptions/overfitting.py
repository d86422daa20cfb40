"""How the train-validation gap grows along each arm: the mechanism behind depth against width.

The gap is validation error minus clean training error. No verdict: the arms have few cells, and a
gap that grows with an arm does not by itself cause its error.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.rules.rule import Preregistration
from analysis.stats.contrast import t_quantile
from analysis.stats.noise import noise_of
from analysis.study.arms import base_of, pairs_of
from analysis.study.cells import Cell


def gap_cells(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that measured both errors, with each run's gap in place of its error."""
    return [
        replace(c, errors=tuple(np.subtract(c.errors, c.train_errors).tolist()))
        for c in cells
        if len(c.train_errors) == c.n
    ]


def slopes(cells: Sequence[Cell], prereg: Preregistration) -> list[dict[str, Any]]:
    """Gain of the gap (fraction of error) per unit of ln(cost), by regime, setting and arm.

    Least squares through the arm's cells; the 95 % interval is Student's t with the seed noise of
    the gap, pooled within the regime. Empty where training error was not measured on two seeds.
    """
    records = []
    for epochs in sorted({c.epochs for c in cells}):
        regime = gap_cells([c for c in cells if c.epochs == epochs])
        noise = noise_of(regime) if any(c.n > 1 for c in regime) else None
        if noise is None:
            continue
        base = base_of(regime, prereg.base)
        for pair in pairs_of(regime, base, epochs, prereg.cost):
            for arm, members in zip(base, (pair.first, pair.second), strict=True):
                x = np.log([c.cost(prereg.cost) or math.nan for c in members])
                weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
                terms = {
                    c.config_id: float(w**2) * noise.variances[c.config_id] / c.n
                    for c, w in zip(members, weights, strict=True)
                }
                slope = float(weights @ [c.error for c in members])
                half = t_quantile(noise.df(terms), 0.975) * math.sqrt(sum(terms.values()))
                records.append(
                    {
                        "epochs": epochs,
                        "setting": pair.label,
                        "arm": arm,
                        "slope": slope,
                        "low": slope - half,
                        "high": slope + half,
                    }
                )
    return records
