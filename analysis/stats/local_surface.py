"""Which of two axes lowers the outcome more per cost, from any cloud of shapes and lengths.

Arms need not share cells. Over the cloud ln(outcome) is fitted by least squares as a quadratic in
the logarithms of both axes (and linear in that of the length, with its products, where there are
several lengths), and ln(cost) likewise. At the centre of the cloud the elasticities are

    e_i = (d ln outcome / d ln axis_i) / (d ln cost / d ln axis_i),

and the contrast is e_second - e_first: positive where the first axis gains more. Its variance is
that of the residuals of cell means, seed noise and lack of fit together, with Student's t; the
slopes of the cost add theirs by the delta method (response surfaces: Box & Draper 2007, chapter 3),
and so does a fitted floor of the outcome. What else shapes differ in (a setting, a resolution) has
an intercept of its own at each of its levels, in both fits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analysis.study.cells import Cell
from analysis.study.columns import AXES
from analysis.study.errors import NothingToCompareError
from analysis.study.measure import ERROR

Floats = NDArray[np.float64]
# Degrees of freedom below which the residuals say too little about their own size.
LEAST_DF = 4
# A matrix that is worse conditioned than this tells its terms not apart.
WORST = 1e4
# A cost that rises with less than this power of an axis is the same along it, but for rounding.
NO_SLOPE = 1e-6


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
    _refuse_few(len(known), terms, cost)
    x, terms = _with_intercepts(x, terms, [_other_settings(cell, names) for cell in known])
    _refuse_few(len(known), terms, cost)
    df = len(known) - x.shape[1]
    if not _tells_apart(x):
        product = terms.index(" ".join(axes))
        alone = _tells_apart(np.delete(x, product, 1))
        how = "are never changed together" if alone else "change together"
        raise NothingToCompareError(
            f"{' and '.join(axes if alone else names)} {how} in these {len(known)} shapes: no "
            "surface tells their effects apart"
        )
    outcome = np.log([cell.error for cell in known])
    costs = np.log([cell.cost(cost) or math.nan for cell in known])
    inverse = np.linalg.inv(x.T @ x)
    slope, spread = _fit(x, outcome, df)
    per, cost_spread = _fit(x, costs, df)
    quantile = float(stdtrit(df, 1 - alpha / 2))
    for i, name in enumerate(axes, start=1):
        if per[i] <= max(NO_SLOPE, quantile * math.sqrt(cost_spread * inverse[i, i])):
            called = names_of(known).get(name, name)
            raise NothingToCompareError(
                f"{cost} does not clearly rise with {called}: nothing is paid for it"
            )
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
    half = quantile * se
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


def _refuse_few(n: int, terms: Sequence[str], cost: str) -> None:
    """Raise a NothingToCompareError if `n` shapes are too few for a surface of these terms."""
    if n - len(terms) < LEAST_DF:
        raise NothingToCompareError(
            f"a surface of {len(terms)} terms ({', '.join(terms)}) takes {len(terms) + LEAST_DF} "
            f"shapes or more, and {n} have a {cost}"
        )


def _tells_apart(x: Floats) -> bool:
    """Whether the columns of a surface are not nearly functions of each other."""
    lengths = np.sqrt((x**2).sum(0))
    if not lengths.all() or np.linalg.matrix_rank(x) < x.shape[1]:
        return False
    return bool(np.linalg.cond(x / lengths) <= WORST)


def names_of(cells: Sequence[Cell]) -> dict[str, str]:
    """What figures call the axes that only this study has."""
    return {axis.name: axis.label for cell in cells[:1] for axis in cell.own}


def _other_settings(cell: Cell, names: Sequence[str]) -> tuple[object, ...]:
    """All that a shape may differ in from others, but for the axes of the surface."""
    variant, settings = cell.comparison_group
    own = tuple(pair for pair in settings if pair[0] not in names)
    return variant, own, *(cell.value(axis) for axis in AXES if axis not in names)


def _with_intercepts(
    x: Floats, terms: list[str], settings: Sequence[tuple[object, ...]]
) -> tuple[Floats, list[str]]:
    """The surface with a column for each of these settings after the first."""
    levels = list(dict.fromkeys(settings))
    columns = [[float(one == level) for one in settings] for level in levels[1:]]
    more = [f"other settings {i}" for i in range(2, len(levels) + 1)]
    return np.column_stack([x, *columns]), terms + more


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
