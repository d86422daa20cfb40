"""Where depth beats width: a map over length of training and cost from one fitted surface.

The surface is quadratic in the logs of depth, width and resolution, and its slopes change with the
log of the epochs (`quad4`). From a base, cost grows by a factor either along depth or along width;
which of the two ends errs less is linear in the coefficients, so its probability is Student's t.
The standard error holds the scatter of configurations about the surface, not only that of seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import stdtr

from analysis.fits.fit import Fit
from analysis.fits.forms import Floats
from analysis.fits.intervals import covariance
from analysis.fits.laws import SIZE
from analysis.laws.cheapest_path import elasticities
from analysis.laws.error_surface import reach, surface_of
from analysis.laws.points import Points, points_of
from analysis.rules.evidence import Evidence
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand
from analysis.stats.trunk_variance import NO_SURFACE, share_trunks
from analysis.study.arms import Base
from analysis.study.columns import LEVEL, Record
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

GRID = 61
COSTS = 24
# Costs on the map, as factors over the base: at least to DEAREST, beyond the design by BEYOND.
CHEAPEST, DEAREST, BEYOND = 1.1, 2.5, 1.3


@dataclass(frozen=True)
class DepthWidthMap:
    """Probability that depth is the better way to spend a multiple of the base's cost.

    `records` are (epochs, resolution, multiplier, p_depth, difference, inside): `inside` says that
    both the deeper and the wider network lie in the convex hull of the studied configurations.
    `crossovers` are the epochs by resolution (px) at which the probability passes one half at
    `multiplier`; `intervals` those at which it passes 0.025 and 0.975, which is Fieller's 95 %
    interval, None beyond the studied lengths. `residual_sd` is the surface's relative scatter.
    `accuracy` and `brier` judge predictions for resolutions that were left out, against the sign
    of the measured gaps; None where there are none.
    """

    multiplier: float
    records: list[Record]
    crossovers: dict[int, float | None]
    intervals: dict[int, tuple[float | None, float | None]]
    residual_sd: float
    n: int
    accuracy: float | None
    brier: float | None


def _surface(points: Points) -> tuple[Fit, Floats]:
    """The surface with every term that the design carries, and elasticities of cost by axis.

    `se` is left out on purpose.

    Raises:
        InputError: too few training lengths or configurations, or an arm that costs nothing.
    """
    if len(np.unique(points["epochs"])) < 3:
        raise InputError("a map over training lengths needs three of them or more")
    surface, slopes = surface_of(points).fit, elasticities(points)
    if not (slopes[:2] > 1e-6).all():
        raise InputError("cost does not grow with both depth and width")
    return surface, slopes


def _difference(
    surface: Fit, slopes: Floats, base: Base, at: tuple[float, float], multipliers: Floats
) -> tuple[Floats, Floats]:
    """(ln error of the wider minus the deeper network, P(depth is better)) at (epochs, px)."""
    start = {**base, "epochs": at[0], "resolution": at[1]}
    networks = {name: value * np.ones(len(multipliers)) for name, value in start.items()}
    deeper, wider = (
        surface.at(networks | {axis: networks[axis] * multipliers ** (1 / slope)})[1]
        for axis, slope in zip(SIZE[:2], slopes[:2], strict=True)
    )
    contrast = wider - deeper
    difference = contrast @ surface.vector
    se = np.sqrt(np.einsum("nj,jk,nk->n", contrast, covariance(surface), contrast))
    return difference, np.asarray(stdtr(surface.df, difference / se))


def _passes(line: Sequence[Record], probability: float) -> list[float]:
    """Epochs at which P(depth) passes a probability, between neighbours on the log scale."""
    found = []
    for a, b in pairwise(line):
        p, q = a["p_depth"], b["p_depth"]
        if (p - probability) * (q - probability) <= 0 and p != q:
            share = (probability - p) / (q - p)
            ends = np.log([a["epochs"], b["epochs"]])
            found.append(float(math.exp(np.interp(share, [0, 1], ends))))
    return found


def _crossover(line: Sequence[Record]) -> tuple[float | None, tuple[float | None, float | None]]:
    """Where P(depth) first passes one half, and its interval."""
    at = next(iter(_passes(line, 0.5)), None)
    if at is None:
        return None, (None, None)
    ends = [*_passes(line, 1 - LEVEL), *_passes(line, LEVEL)]
    low = max((e for e in ends if e <= at), default=None)
    return at, (low, min((e for e in ends if e >= at), default=None))


def _dearest(points: Points, slopes: Floats, base: Base, at: tuple[float, float]) -> float:
    """The largest multiple of cost for which both ends lie in the hull of the design."""
    logs = [np.log(points[a]) for a in (*SIZE, "epochs")]
    design = np.unique(np.stack(logs, axis=1), axis=0)
    epochs, resolution = at
    start = np.log([base["depth"], base["width"], resolution, epochs])
    return min(math.exp(slopes[i] * reach(design, start, i)) for i in (0, 1))


def depth_width_map(
    cells: StudyCells, prereg: Preregistration, base: Base, multiplier: float = 1.8
) -> DepthWidthMap:
    """The map of a study with several lengths of training.

    Raises:
        InputError: too few configurations or levels for the surface, or lengths that share trunks.
    """
    if share_trunks(cells):
        raise InputError(NO_SURFACE)
    points = points_of(cells, prereg.cost)
    surface, slopes = _surface(points)
    epochs = np.geomspace(points["epochs"].min(), points["epochs"].max(), GRID).tolist()
    places = [(e, r) for r in sorted({c.resolution for c in cells}) for e in epochs]
    tops = {at: _dearest(points, slopes, base, at) for at in places}
    top = max(DEAREST, BEYOND * max(tops.values()))
    costs = np.unique([*np.geomspace(CHEAPEST, top, COSTS), multiplier])
    records: list[Record] = []
    for at in places:
        found = zip(costs.tolist(), *_difference(surface, slopes, base, at, costs), strict=True)
        records += [
            {"epochs": at[0], "resolution": at[1], "multiplier": m, "p_depth": float(p),
             "difference": float(d), "inside": m <= tops[at] * (1 + 1e-6)}
            for m, d, p in found
        ]  # fmt: skip
    chosen = [r for r in records if r["multiplier"] == multiplier]
    passed = {px: _crossover([r for r in chosen if r["resolution"] == px]) for _, px in places}
    return DepthWidthMap(
        multiplier,
        records,
        {r: at for r, (at, _) in passed.items()},
        {r: ends for r, (_, ends) in passed.items()},
        math.sqrt(surface.variance),
        surface.n,
        *_left_out(cells, prereg, base, multiplier),
    )


def _left_out(
    cells: StudyCells, prereg: Preregistration, base: Base, multiplier: float
) -> tuple[float | None, float | None]:
    """Share of right signs and Brier score at resolutions that the surface has not seen."""
    right, squares = [], []
    for resolution in sorted({c.resolution for c in cells}):
        seen: Points = points_of([c for c in cells if c.resolution != resolution], prereg.cost)
        own = cells.at_resolution(resolution)
        try:
            surface, slopes = _surface(seen)
        except InputError:
            return None, None
        for epochs in own.regimes:
            try:
                measured = Evidence(own, prereg).gap_at(epochs, Estimand(prereg.cost))[0].estimate
            except PreconditionError:
                continue
            at = float(epochs), float(resolution)
            _, (p,) = _difference(surface, slopes, base, at, np.array([multiplier]))
            right.append((p > 0.5) == (measured > 0))
            squares.append((p - (measured > 0)) ** 2)
    if not right:
        return None, None
    return float(np.mean(right)), float(np.mean(squares))
