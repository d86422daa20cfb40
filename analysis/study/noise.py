"""How much one run of each cell scatters: pooled, per cell, or a prior where seeds are single."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import fdtrc

from analysis.study.cells import Cell

UNEQUAL_P = 0.01


@dataclass(frozen=True)
class Noise:
    """Variance of one run of each cell (by config_id) and the degrees of freedom behind it."""

    kind: Literal["pooled", "per cell", "prior"]
    variances: Mapping[str, float]
    dfs: Mapping[str, float]
    text: str

    def df(self, terms: Mapping[str, float]) -> float:
        """Degrees of freedom of a sum of variance terms (by config_id).

        Pooled: those of the pool. Per cell: Welch-Satterthwaite, (sum v)^2 / sum(v^2 / df).
        """
        if self.kind != "per cell":
            return next(iter(self.dfs.values()))
        total = sum(terms.values())
        return total**2 / sum(v**2 / self.dfs[key] for key, v in terms.items())


def brown_forsythe(groups: Sequence[Sequence[float]]) -> float | None:
    """P value that all groups scatter alike (Brown & Forsythe 1974, Levene's test about medians).

    Groups of fewer than three are not used: both values of a pair are equally far from their
    median, which would make the test statistic infinite. None if fewer than two groups remain.
    """
    spreads = [np.abs(np.asarray(g) - np.median(g)) for g in groups if len(g) > 2]
    k, n = len(spreads), sum(map(len, spreads))
    if k < 2:
        return None
    grand = float(np.mean(np.concatenate(spreads)))
    between = sum(len(z) * (float(z.mean()) - grand) ** 2 for z in spreads)
    within = sum(float(np.sum((z - z.mean()) ** 2)) for z in spreads)
    if within == 0:
        return None
    return float(fdtrc(k - 1, n - k, (between / (k - 1)) / (within / (n - k))))


def _prior(cells: Sequence[Cell]) -> Noise | None:
    known = {c.config_id: c.noise_prior(c.error, c.n_val) for c in cells if c.n_val}
    variances = {config_id: sd**2 for config_id, sd in known.items() if sd is not None}
    if len(variances) < len(cells):
        return None
    mean = 100 * math.sqrt(float(np.mean(list(variances.values()))))
    text = f"prior sqrt(e / 2n), mean {mean:.2f} pp (one seed per cell: not measured)"
    return Noise("prior", variances, dict.fromkeys(variances, math.inf), text)


def noise_of(cells: Sequence[Cell]) -> Noise | None:
    """How much a run of these cells scatters, or None if nothing says.

    Pooled over cells if they have replicates and scatter alike; per cell if Brown-Forsythe says
    they do not (p < 0.01) and every cell has replicates; the binomial prior with one seed each.
    """
    df = sum(c.n - 1 for c in cells)
    if df == 0:
        return _prior(cells)
    p = brown_forsythe([c.errors for c in cells])
    equality = "untested, too few seeds" if p is None else f"Brown-Forsythe p {p:.2g}"
    if p is not None and p < UNEQUAL_P and all(c.n > 1 for c in cells):
        variances = {c.config_id: c.variance for c in cells}
        sds = 100 * np.sqrt(list(variances.values()))
        text = f"per cell, {sds.min():.2f} to {sds.max():.2f} pp (unequal variances: {equality})"
        return Noise("per cell", variances, {c.config_id: c.n - 1 for c in cells}, text)
    pooled = sum((c.n - 1) * c.variance for c in cells if c.n > 1) / df
    text = f"pooled over cells, {100 * math.sqrt(pooled):.2f} pp (equal variances: {equality})"
    variances = {c.config_id: pooled for c in cells}
    return Noise("pooled", variances, dict.fromkeys(variances, float(df)), text)
