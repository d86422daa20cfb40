"""How far a line stays among the configurations of a design."""

import numpy as np
from scipy.optimize import linprog

from analysis.fits.forms import Floats


def reach(design: Floats, start: Floats, axis: int) -> float:
    """The farthest that a point moves along an axis and stays in the convex hull of the design.

    `design` has a row per configuration; 0 if `start` itself lies outside. A linear programme:
    the largest t >= 0 for which start + t e_axis is a mean of rows.
    """
    n, columns = design.shape
    move = np.zeros((columns + 1, 1))
    move[axis] = -1
    inside = np.vstack([design.T, np.ones(n)])
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_eq=np.hstack([inside, move]),
        b_eq=np.append(start, 1.0),
        method="highs",
    )
    return 0.0 if found.x is None else float(found.x[-1])
