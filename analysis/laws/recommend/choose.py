"""The best configuration for a budget by a study's error surface, and the cheapest near it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from analysis.fits.forms import Floats
from analysis.laws.error_surface import Prediction, Surface, gain_of_repeats, predict, surface_of
from analysis.laws.points import Points, one_family, points_of
from analysis.laws.recommend.budgets import BUDGETS, MARGIN
from analysis.laws.recommend.candidates import (
    Sizes,
    affordable,
    candidates,
    check_reach,
    cost_law,
)
from analysis.stats.trunk_variance import NO_SURFACE, share_trunks
from analysis.study.cells import Cell
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

REPEATS = 3


@dataclass(frozen=True)
class Choice:
    """A configuration with its predicted outcome and costs by name.

    The 95 % intervals are `low` to `high` for one new training of it, `mean_low` to `mean_high`
    for its mean over seeds.
    """

    depth: float
    width: float
    resolution: int
    epochs: int
    error: float
    low: float
    high: float
    mean_low: float
    mean_high: float
    distance: float
    inside: bool
    costs: Mapping[str, float]


@dataclass(frozen=True)
class Recommendation:
    """The best configuration within the budget, and the cheapest one within the margin of it.

    `repeats` are studied configurations (config_id) and the part of the prediction's standard
    error that one more seed of each would remove, the largest first.
    """

    best: Choice
    cheapest: Choice
    repeats: tuple[tuple[str, float], ...]
    surface: Surface
    cost_sd: Mapping[str, float]


def _choice(table: Points, p: Prediction, costs: Mapping[str, Floats], i: int) -> Choice:
    return Choice(
        depth=float(table["depth"][i]),
        width=float(table["width"][i]),
        resolution=int(table["resolution"][i]),
        epochs=int(table["epochs"][i]),
        **{name: column[i].item() for name, column in vars(p).items()},
        costs={name: float(values[i]) for name, values in costs.items()},
    )


def _epochs(points: Points, asked: int | None, extrapolate: bool) -> int:
    """The training length asked for, or the longest one studied."""
    low, high = int(points["epochs"].min()), int(points["epochs"].max())
    if asked is None:
        return high
    if not low <= asked <= high and not (extrapolate and low < high):
        more = "" if low == high else ", or --extrapolate"
        raise InputError(f"--epochs {asked}: this study trained {low} to {high}; give one{more}")
    return asked


def _of_one_length(cells: Sequence[Cell], epochs: int | None) -> list[Cell]:
    """Of lengths that share trunks the one that is asked for, else the longest."""
    lengths = sorted({cell.epochs for cell in cells})
    if epochs is not None and epochs not in lengths:
        raise InputError(f"--epochs {epochs}: {NO_SURFACE}; give one of {lengths}")
    return [cell for cell in cells if cell.epochs == (epochs or lengths[-1])]


def recommend(
    cells: Sequence[Cell],
    budgets: Mapping[str, float],
    *,
    steps_per_epoch: float,
    epochs: int | None = None,
    margin: float = MARGIN,
    extrapolate: bool = False,
    sizes: Sizes = MappingProxyType({}),
) -> Recommendation:
    """The configuration of least predicted error whose predicted costs keep the budgets.

    `budgets` maps names of `BUDGETS` to limits: FLOPs per image, seconds, parameters, bytes,
    hours of one device. Costs of a candidate come from power laws of the study's own costs. `sizes`
    are the legal depths, widths and resolutions; without them only studied ones are candidates.
    Raises InputError if nothing keeps the budget, it lies outside the data, or data are too few.
    """
    if not budgets or min(budgets.values()) <= 0:
        raise InputError(f"give a positive budget: {', '.join(b.option for b in BUDGETS.values())}")
    one_family(cells)
    cells = sorted(cells, key=lambda c: c.epochs)
    if share_trunks(cells):
        cells = _of_one_length(cells, epochs)
    # Seeds scatter differently in regimes, so noise is that of each one.
    every = StudyCells(cells)
    cost = every.known_cost("flops")
    parts = [points_of(own, cost, own.noise(e)) for e, own in every.regimes.items()]
    points = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    length = _epochs(points, epochs, extrapolate)
    surface = surface_of(points)
    hours = steps_per_epoch * length / 3600
    if "gpu_hours" in budgets and math.isnan(hours):
        raise InputError(
            f"{BUDGETS['gpu_hours'].option}: nothing says how many steps a training of this study "
            "has; give another budget"
        )
    laws = {name: cost_law(cells, name, hours) for name in budgets}
    table = candidates(points, length, extrapolate, sizes)
    costs = {name: law(table) for name, law in laws.items()}
    predicted = predict(surface, table)
    allowed = predicted.inside | extrapolate
    if not extrapolate and allowed.any():
        check_reach(costs, budgets, allowed)
    usable = np.flatnonzero(affordable(costs, budgets, allowed))
    best = usable[np.argmin(predicted.error[usable])]
    near = usable[predicted.error[usable] <= predicted.error[best] * (1 + margin)]
    cheapest = near[np.argmin(costs[next(iter(budgets))][near])]
    gains = gain_of_repeats(surface, {k: values[[best]] for k, values in table.items()})
    names = [c.config_id for c in cells if c.cost(cost) is not None]
    return Recommendation(
        best=_choice(table, predicted, costs, int(best)),
        cheapest=_choice(table, predicted, costs, int(cheapest)),
        repeats=tuple((names[i], float(gains[i])) for i in np.argsort(-gains)[:REPEATS]),
        surface=surface,
        cost_sd={name: law.sd for name, law in laws.items()},
    )
