"""Which of two axes lowers the outcome more per cost, from any cloud of shapes and lengths.

Arms need not share cells. Over the cloud ln(outcome) is fitted by least squares as a quadratic in
the logarithms of both axes (and linear in that of the length, with its products, where there are
several lengths), and ln(cost) likewise. At the centre of the cloud the elasticities are

    e_i = (d ln outcome / d ln axis_i) / (d ln cost / d ln axis_i),

and the contrast is e_second - e_first: positive where the first axis gains more. Its variance is
that of the residuals of cell means, seed noise and lack of fit together, with Student's t; the
slopes of the cost add theirs by the delta method (response surfaces: Box & Draper 2007, chapter 3),
and so does a fitted floor of the outcome.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analysis.study.cells import Cell
from analysis.study.errors import NothingToCompareError
from analysis.study.measure import ERROR

Floats = NDArray[np.float64]
# Degrees of freedom below which the residuals say too little about their own size.
LEAST_DF = 4
# A matrix that is worse conditioned than this tells its terms not apart.
WORST = 1e4


@dataclass(frozen=True)
class SurfaceContrast:
    """Elasticities of both axes per ln(cost) at the centre, and their difference with its interval.

    `rests_on` is what the interval's noise was estimated from; `terms` are those of the surface,
    `scatter` is the SD of ln(outcome) of cell means about it.
    """

    axes: tuple[str, str]
    cost: str
    first: float
    second: float
    contrast: float
    low: float
    high: float
    se: float
    df: int
    scatter: float
    cells: int
    terms: tuple[str, ...]
    centre: dict[str, float]
    rests_on: str


def surface_contrast(
    cells: Sequence[Cell], axes: tuple[str, str], cost: str, alpha: float = 0.05
) -> SurfaceContrast:
    """The contrast of two axes over these cells.

    Raises:
        NothingToCompareError: too few cells, a cost that does not rise with an axis, or axes whose
            values change together.
    """
    known = [cell for cell in cells if cell.cost(cost)]
    measure = known[0].measure if known else ERROR
    if not measure.log:
        raise NothingToCompareError(
            f"the surface is of ln({measure.name}), and this study compares raw differences"
        )
    lengths = len({cell.epochs for cell in known}) > 1
    names = [*axes, *(["epochs"] if lengths else [])]
    logs = np.log(np.array([[cell.value(name) for name in names] for cell in known]))
    logs = logs.reshape(-1, len(names))
    centre = logs.mean(0) if len(known) else np.zeros(len(names))
    x, terms = _terms(logs - centre, names)
    df = len(known) - x.shape[1]
    if df < LEAST_DF:
        raise NothingToCompareError(
            f"a surface of {x.shape[1]} terms ({', '.join(terms)}) takes {x.shape[1] + LEAST_DF} "
            f"shapes or more, and {len(known)} have a {cost}"
        )
    scaled = x / np.sqrt((x**2).sum(0))
    if np.linalg.matrix_rank(x) < x.shape[1] or np.linalg.cond(scaled) > WORST:
        raise NothingToCompareError(
            f"{' and '.join(names)} change together in these {len(known)} shapes: no surface tells "
            "their effects apart"
        )
    outcome = np.log([cell.error for cell in known])
    costs = np.log([cell.cost(cost) or math.nan for cell in known])
    inverse = np.linalg.inv(x.T @ x)
    slope, spread = _fit(x, outcome, df)
    per, cost_spread = _fit(x, costs, df)
    for name, value in zip(axes, per[1:3], strict=True):
        if value <= 0:
            raise NothingToCompareError(f"{cost} does not rise with {name}: nothing is paid for it")
    first, second = slope[1:3] / per[1:3]
    weights = np.array([-1 / per[1], 1 / per[2]])
    by_cost = np.array([first / per[1], -second / per[2]])
    block = inverse[1:3, 1:3]
    variance = spread * weights @ block @ weights + cost_spread * by_cost @ block @ by_cost
    if measure.floor is not None:
        # What one SE of the fitted floor does to both slopes.
        by_floor, _ = _fit(x, -measure.floor.se / np.exp(outcome), df)
        variance += float(weights @ by_floor[1:3]) ** 2
    se, contrast = math.sqrt(variance), float(second - first)
    half = float(stdtrit(df, 1 - alpha / 2)) * se
    seeds = max(cell.n for cell in known)
    once = "lack of fit of the surface alone, because every shape ran once"
    both = "seed noise and lack of fit of the surface, from cell means"
    return SurfaceContrast(
        axes=axes,
        cost=cost,
        first=float(first),
        second=float(second),
        contrast=contrast,
        low=contrast - half,
        high=contrast + half,
        se=se,
        df=df,
        scatter=math.sqrt(spread),
        cells=len(known),
        terms=tuple(terms),
        centre={name: float(math.exp(at)) for name, at in zip(names, centre, strict=True)},
        rests_on=once if seeds == 1 else both,
    )


def _terms(x: Floats, names: Sequence[str]) -> tuple[Floats, list[str]]:
    """The columns of the surface; squares only of what has three values or more."""
    columns, terms = [np.ones(len(x)), *x.T], ["1", *names]
    for i, name in enumerate(names):
        if i < 2 and len(np.unique(np.round(x[:, i], 9))) > 2:
            columns.append(x[:, i] ** 2)
            terms.append(f"{name}^2")
        for j in range(i):
            columns.append(x[:, i] * x[:, j])
            terms.append(f"{names[j]} {name}")
    return np.column_stack(columns), terms


def _fit(x: Floats, y: Floats, df: int) -> tuple[Floats, float]:
    """Coefficients, and the variance of the residuals."""
    found: Floats = np.linalg.lstsq(x, y, rcond=None)[0].astype(float)
    return found, float(((y - x @ found) ** 2).sum()) / df
