"""How much one run of each cell scatters: pooled, per cell, or a prior where seeds are single.

A single cell's bar rests on the pooled noise, unless cells clearly scatter differently. A contrast
of cells does not: three seeds cannot show that the cells which carry its weight are noisier than
the rest, and then its interval would be too narrow. It takes each cell's own noise, moderated by
the pool (`moderated`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from analysis.study.cells import Cell
from analysis.study.noise_prior import NoisePrior, published_prior

UNEQUAL_P = 0.01
# Degrees of freedom with which the pooled variance enters each cell's own.
POOL_DF = 0.5

Floats = npt.NDArray[np.float64]


class Variance(NamedTuple):
    """A variance and the degrees of freedom that it is known with.

    `assumed` is one that a prior gives: all such variances of a study have one unknown factor.
    """

    value: float
    df: float
    assumed: bool = False


def moderated(
    factors: Floats, variances: Floats, dfs: Floats, pool: Floats
) -> tuple[Floats, Floats]:
    """Variance of a sum of independent cell means, and its degrees of freedom.

    The sum's variance is sum(f_i sigma_i^2) over the m cells of `factors` (m,), which are
    omega_i^2 / n_i for a sum of omega_i times means of n_i runs; `variances` (..., m) are the
    sample variances with `dfs` (m,) degrees of freedom, `pool` (...) the pooled variance. Each
    sigma_i^2 is estimated by (s_0^2 / 2 + d_i s_i^2) / (1/2 + d_i), a moderated variance as in
    Smyth 2004 with half a prior degree of freedom: by simulation more is too trusting where the
    weight is noisier, and less is wider where all cells scatter alike. Degrees of freedom are
    Welch-Satterthwaite's, (sum v)^2 / sum(v^2 / d), with the cells' own d_i: the pool is not
    trusted to add any. Every cell must have d_i > 0. The results have the shape of `pool`.
    """
    own = (POOL_DF * pool[..., None] + dfs * variances) / (POOL_DF + dfs)
    terms = factors * own
    total = terms.sum(axis=-1)
    rest = (terms**2 / dfs).sum(axis=-1)
    df = np.divide(total**2, rest, out=np.full_like(total, np.inf), where=rest > 0)
    return total, df


@dataclass(frozen=True)
class Noise:
    """Variance of one run of each cell (by config_id) and the degrees of freedom behind it.

    `replicates` are the sample variance and n - 1 of each cell with two seeds or more.
    """

    kind: Literal["pooled", "per cell", "prior"]
    variances: Mapping[str, float]
    dfs: Mapping[str, float]
    text: str
    replicates: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    @property
    def pool(self) -> tuple[float, float]:
        """The variance pooled over all cells with replicates, and its degrees of freedom."""
        df = sum(d for _, d in self.replicates.values())
        return sum(v * d for v, d in self.replicates.values()) / df, float(df)

    def of_sum(self, factors: Mapping[str, float]) -> Variance:
        """Variance of a sum of cell means.

        `factors` by config_id multiply the variance of one run of each cell: omega^2 / n. See
        `moderated`; cells with one seed take the pooled variance with its degrees of freedom. A
        prior is as wrong for all cells, so a sum has the degrees of freedom of one of them.
        """
        if not self.replicates:
            total = sum(f * self.variances[key] for key, f in factors.items())
            fewest = min((self.dfs[key] for key in factors), default=math.inf)
            return Variance(total, fewest, assumed=True)
        pooled, pool_df = self.pool
        keys = [key for key in factors if key in self.replicates]
        variances, dfs = np.array([self.replicates[key] for key in keys]).reshape(-1, 2).T
        factor = np.array([factors[key] for key in keys])
        known, df = moderated(factor, variances, dfs, np.array(pooled))
        single = pooled * sum(f for key, f in factors.items() if key not in self.replicates)
        return welch_satterthwaite([Variance(float(known), float(df)), Variance(single, pool_df)])

    def df(self, terms: Mapping[str, float]) -> float:
        """Degrees of freedom of a sum of variance terms (by config_id).

        Pooled: those of the pool. Per cell: Welch-Satterthwaite, (sum v)^2 / sum(v^2 / df).
        """
        if self.kind != "per cell":
            return next(iter(self.dfs.values()))
        return welch_satterthwaite([Variance(v, self.dfs[key]) for key, v in terms.items()]).df


def welch_satterthwaite(parts: Sequence[Variance]) -> Variance:
    """Sum of variances and its degrees of freedom, (sum v)^2 / sum(v^2 / df).

    Variances are independent, but for those that are assumed: they are off by one factor, and
    together have the fewest of their degrees of freedom.
    """
    assumed = [part for part in parts if part.assumed and part.value]
    independent = [part for part in parts if not part.assumed]
    if assumed:
        fewest = min(part.df for part in assumed)
        independent.append(Variance(sum(part.value for part in assumed), fewest))
    total = sum(part.value for part in independent)
    rest = sum(part.value**2 / part.df for part in independent)
    return Variance(total, total**2 / rest if rest else math.inf, bool(assumed))


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


def _prior(cells: Sequence[Cell], prior: NoisePrior) -> Noise | None:
    formula = {c.config_id: c.measure.noise_prior(c.error, c.n_val) for c in cells if c.n_val}
    known = {config_id: sd for config_id, sd in formula.items() if sd is not None}
    if len(known) < len(cells):
        return None
    factors = {c.config_id: prior.factor(c.data, c.images_seen) for c in cells}
    variances = {key: (factors[key].scale * sd) ** 2 for key, sd in known.items()}
    medians = [factors[key].median * sd for key, sd in known.items()]
    text = (
        f"{cells[0].measure.spread(math.sqrt(float(np.mean(np.square(medians)))))}, "
        f"{factors[cells[0].config_id].text()}; one seed per cell: not measured"
    )
    return Noise("prior", variances, {key: f.df for key, f in factors.items()}, text)


def noise_of(cells: Sequence[Cell], prior: NoisePrior | None = None) -> Noise | None:
    """How much a run of these cells scatters, or None if nothing says.

    Pooled over cells if they have replicates and scatter alike; per cell if Brown-Forsythe says
    they do not (p < 0.01) and every cell has replicates; with one seed each the prior, by default
    the published one.
    Contrasts do not depend on that choice: see `Noise.of_sum`.
    """
    df = sum(c.n - 1 for c in cells)
    if df == 0:
        return _prior(cells, prior or published_prior())
    replicates = {c.config_id: (c.variance, c.n - 1) for c in cells if c.n > 1}
    p = brown_forsythe([c.errors for c in cells])
    equality = "untested, too few seeds" if p is None else f"Brown-Forsythe p {p:.2g}"
    if p is not None and p < UNEQUAL_P and all(c.n > 1 for c in cells):
        variances = {c.config_id: c.variance for c in cells}
        sds = np.sqrt(list(variances.values()))
        least, most = (cells[0].measure.spread(float(sd)) for sd in (sds.min(), sds.max()))
        text = f"per cell, {least.split()[0]} to {most} (unequal variances: {equality})"
        return Noise("per cell", variances, {c.config_id: c.n - 1 for c in cells}, text, replicates)
    pooled = sum((c.n - 1) * c.variance for c in cells if c.n > 1) / df
    sd = cells[0].measure.spread(math.sqrt(pooled))
    text = f"pooled over cells, {sd} (equal variances: {equality})"
    variances = {c.config_id: pooled for c in cells}
    return Noise("pooled", variances, dict.fromkeys(variances, float(df)), text, replicates)
