"""What rules about laws need of a regime's configurations: asked of measured and of planned ones.

Planning asks, so nothing here is slow or loads what fits laws.
"""

import numpy as np

from analysis.fits.inputs import check_identified, usable
from analysis.fits.laws import FORMS, SIZE
from analysis.laws.points import Points
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
