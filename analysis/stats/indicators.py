"""How good one set of points is against another: hypervolume and epsilon.

Points are rows of positive costs and an error, all minimised. Hypervolumes lie in the space of
their logarithms and are compared only under one reference, that of the union.
"""

from dataclasses import dataclass

import moocore
import numpy as np

from analysis.stats.pareto import Floats, on_frontier

MARGIN = 0.1


def _logs(points: Floats) -> Floats:
    """Logarithms of the points that no other beats; a ValueError unless all are positive."""
    if points.ndim != 2 or points.size == 0 or not (np.isfinite(points) & (points > 0)).all():
        raise ValueError("points must be rows of positive finite numbers")
    logs = np.log(points)
    return np.asarray(logs[on_frontier(*logs.T)])


def reference_of(*sets: Floats) -> Floats:
    """The corner from which volume is measured, in logarithms, one for all sets.

    A tenth of the range beyond the worst value that any set's frontier has in each column (0.1
    where there is no range). Points beaten within their own set do not count, so that adding one
    changes nothing.
    """
    union = np.concatenate([_logs(points) for points in sets])
    span = np.ptp(union, axis=0)
    return np.asarray(union.max(axis=0) + MARGIN * np.where(span > 0, span, 1.0))


def hypervolume(points: Floats, reference: Floats) -> float:
    """Volume between the logarithms of the points and the reference (Zitzler & Thiele 1999).

    A sum of rectangles in two columns, moocore (Fonseca, Paquete & Lopez-Ibanez 2006) beyond.
    Points beyond the reference add nothing.
    """
    logs = _logs(points)
    logs = logs[(logs < reference).all(axis=1)]
    if logs.shape[1] != 2:
        return float(moocore.hypervolume(logs, ref=reference)) if logs.size else 0.0
    x, y = logs[np.lexsort(logs.T)[::-1]].T
    heights = np.append(reference[1], y[:-1]) - y
    return float(np.sum((reference[0] - x) * heights))


def epsilon(a: Floats, b: Floats) -> float:
    """Least factor on all columns of A with which some point of A is at most each point of B.

    The multiplicative epsilon of Zitzler et al. 2003. Below 1, A is better everywhere.
    """
    excess = _logs(a)[:, None, :] - _logs(b)[None, :, :]
    return float(np.exp(excess.max(axis=2).min(axis=0).max()))


def cost_factor(a: Floats, b: Floats) -> float:
    """The most that A's frontier needs, as a factor on cost, to err no more than B's frontier.

    The last column is the error; with several costs the worst of them counts. Infinite if B
    reaches an error that A does not.
    """
    log_a, log_b = _logs(a), _logs(b)
    excess = (log_a[:, None, :-1] - log_b[None, :, :-1]).max(axis=2)
    reached = log_a[:, None, -1] <= log_b[None, :, -1]
    return float(np.exp(np.where(reached, excess, np.inf).min(axis=0).max()))


@dataclass(frozen=True)
class Comparison:
    """Two sets under the reference of their union.

    `share_a` is HV(A) / HV(A u B), 1 if B adds nothing to A; `epsilon_a` and `cost_a` are the
    factors A needs to match B, on all columns and on cost alone; likewise for B.
    """

    share_a: float
    share_b: float
    epsilon_a: float
    epsilon_b: float
    cost_a: float
    cost_b: float


def compare(a: Floats, b: Floats) -> Comparison:
    """Hypervolume shares and epsilons of two sets, rows of costs and then the error.

    Raises:
        ValueError: no points, or a value is not positive and finite.
    """
    reference = reference_of(a, b)
    union = hypervolume(np.concatenate([a, b]), reference)
    return Comparison(
        share_a=hypervolume(a, reference) / union,
        share_b=hypervolume(b, reference) / union,
        epsilon_a=epsilon(a, b),
        epsilon_b=epsilon(b, a),
        cost_a=cost_factor(a, b),
        cost_b=cost_factor(b, a),
    )
