"""Where depth beats width: a map over length of training and resolution from one fitted surface.

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

from analysis.arms import Base
from analysis.contrast import Estimand, PreconditionError
from analysis.fits.fit import Fit
from analysis.fits.forms import Floats, log_value
from analysis.fits.intervals import covariance
from analysis.gaps import gap_at
from analysis.noise import Cell
from analysis.records import Record
from analysis.rules import Prereg
from analysis.scaling.points import AXES, Points, points_of
from analysis.scaling.resolution import elasticities
from analysis.scaling.surface import surface_of
from scaling_study.errors import InputError

GRID = 61


@dataclass(frozen=True)
class RegimeMap:
    """Probability that depth is the better way to spend `multiplier` times the base's cost.

    `records` are (epochs, resolution, p_depth, difference); `crossovers` the epochs by resolution
    (px) at which it passes one half; `residual_sd` the surface's relative scatter. `accuracy` and
    `brier` judge predictions for resolutions that were left out, against the sign of the measured
    gaps; None where there are none.
    """

    multiplier: float
    records: list[Record]
    crossovers: dict[int, float | None]
    residual_sd: float
    n: int
    accuracy: float | None
    brier: float | None


def _surface(points: Points) -> Fit:
    """The surface with every term that the design carries; `se` is left out of it on purpose.

    Raises:
        InputError: one length of training, or too few configurations.
    """
    if len(np.unique(points["epochs"])) < 3:
        raise InputError("a map over training lengths needs three of them or more")
    return surface_of(points).fit


def _row(surface: Fit, depth: float, width: float, resolution: float, epochs: float) -> Floats:
    values = {"depth": depth, "width": width, "resolution": resolution, "epochs": epochs}
    x = np.log([[values[column] for column in surface.columns]]) - surface.centre
    return np.asarray(log_value(surface.form, surface.vector, x)[1][0])


def _difference(
    surface: Fit, slopes: Floats, base: Base, at: tuple[float, float], multiplier: float
) -> tuple[float, float]:
    """(ln error of the wider minus the deeper network, P(depth is better)) at (epochs, px)."""
    epochs, resolution = at
    factor = {axis: multiplier ** (1 / c) for axis, c in zip(AXES, slopes, strict=True)}
    depth, width = base["depth"], base["width"]
    wider = _row(surface, depth, width * factor["width"], resolution, epochs)
    deeper = _row(surface, depth * factor["depth"], width, resolution, epochs)
    contrast = wider - deeper
    difference = float(contrast @ surface.vector)
    se = math.sqrt(float(contrast @ covariance(surface) @ contrast))
    return difference, float(stdtr(surface.df, difference / se))


def _crossover(records: Sequence[Record]) -> float | None:
    """Epochs at which P(depth) first passes one half, between neighbours on the log scale."""
    for a, b in pairwise(records):
        if (a["p_depth"] - 0.5) * (b["p_depth"] - 0.5) <= 0 and a["p_depth"] != b["p_depth"]:
            share = (0.5 - a["p_depth"]) / (b["p_depth"] - a["p_depth"])
            return float(math.exp(np.interp(share, [0, 1], np.log([a["epochs"], b["epochs"]]))))
    return None


def regime_map(
    cells: Sequence[Cell], prereg: Prereg, base: Base, multiplier: float = 1.8
) -> RegimeMap:
    """The map of a study with several lengths of training and resolutions.

    Raises:
        InputError: too few configurations or levels for the surface.
    """
    points = points_of(cells, prereg.cost)
    surface = _surface(points)
    slopes = elasticities(points)
    epochs = np.geomspace(points["epochs"].min(), points["epochs"].max(), GRID)
    records, crossovers = [], {}
    for resolution in sorted({c.resolution for c in cells}):
        line = []
        for e in epochs.tolist():
            d, p = _difference(surface, slopes, base, (e, resolution), multiplier)
            line.append({"epochs": e, "resolution": resolution, "p_depth": p, "difference": d})
        records += line
        crossovers[resolution] = _crossover(line)
    accuracy, brier = _left_out(cells, prereg, base, multiplier)
    sd = math.sqrt(surface.variance)
    return RegimeMap(multiplier, records, crossovers, sd, surface.n, accuracy, brier)


def _left_out(
    cells: Sequence[Cell], prereg: Prereg, base: Base, multiplier: float
) -> tuple[float | None, float | None]:
    """Share of right signs and Brier score at resolutions that the surface has not seen."""
    right, squares = [], []
    for resolution in sorted({c.resolution for c in cells}):
        seen: Points = points_of([c for c in cells if c.resolution != resolution], prereg.cost)
        own = [c for c in cells if c.resolution == resolution]
        try:
            surface = _surface(seen)
        except InputError:
            return None, None
        for epochs in sorted({c.epochs for c in own}):
            try:
                measured = gap_at(own, prereg, epochs, Estimand(prereg.cost))[0].estimate
            except PreconditionError:
                continue
            at = float(epochs), float(resolution)
            _, p = _difference(surface, elasticities(seen), base, at, multiplier)
            right.append((p > 0.5) == (measured > 0))
            squares.append((p - (measured > 0)) ** 2)
    if not right:
        return None, None
    return float(np.mean(right)), float(np.mean(squares))
