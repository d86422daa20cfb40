"""What rules about laws need of a regime's configurations: asked of measured and of planned ones.

Planning asks, so nothing here is slow or loads what fits laws.
"""

from collections.abc import Callable

import numpy as np

from analysis.fits.inputs import check_identified, usable
from analysis.fits.laws import FORMS, SIZE
from analysis.laws.harmful_steps import error_increases
from analysis.laws.points import Points, points_of
from analysis.laws.returns import depth_and_resolution_steps, resolution_steps
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

# Configurations, and different costs, that a law of cost needs.
LEAST = 10


def different_costs(points: Points) -> None:
    """Raises InputError for fewer than ten configurations or costs that hardly differ."""
    n = len(points["error"])
    if n < LEAST or len(np.unique(points["cost"])) < LEAST:
        raise InputError(f"{n} configurations; a law of cost needs {LEAST} different costs")
    if (points["error"] <= 0).any() or (points["cost"] <= 0).any():
        raise InputError("errors and costs must be positive")


def quadratic_in_size(points: Points) -> None:
    """Raises InputError where a quadratic in depth, width and resolution has too few levels."""
    form = FORMS["quad3"]
    x = np.stack([points[axis] for axis in SIZE], axis=1)
    used = usable(form, points["error"], x, np.ones(len(x)))
    logs = np.log(x[used])
    check_identified(form, logs - logs.mean(axis=0))


# Each raises an InputError that says what is missing.
CHECKS: dict[str, Callable[[Points], object]] = {
    "departure": different_costs,
    "diminishing": resolution_steps,
    "depth_first": depth_and_resolution_steps,
    "slower": quadratic_in_size,
    "dispersion": different_costs,
    "harm": lambda points: error_increases(points, "width"),
}


def law_points(cells: StudyCells, kind: str, epochs: int, cost: str) -> Points:
    """The configurations of one regime, which a rule of this kind can be about.

    Raises:
        PreconditionError: too few configurations or levels, or a cell makes no errors.
    """
    regime = cells.regime(epochs)
    if any(cell.error <= 0 for cell in regime):
        raise PreconditionError("a cell makes no errors, which has no logarithm")
    points = points_of(regime, cost, cells.noise(epochs))
    try:
        CHECKS[kind](points)
    except InputError as error:
        raise PreconditionError(str(error)) from None
    return points
