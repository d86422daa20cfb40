"""Interpolation of an arm's values over ln(cost) as a fixed linear rule, and its exact mean."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MIN_SPACING = 0.2


def smoother(x: Floats, t: Floats, linear: bool = False) -> Floats:
    """Matrix (len(t), len(x)) that takes values at nodes x to values at t, within their range.

    A quadratic by least squares if there are three nodes or more and none are closer than 0.2 of
    the range (two near nodes would triple its variance), else piecewise linear; cells of equal
    cost are averaged first. Rows sum to 1.
    """
    return _smoother(tuple(x.tolist()), tuple(t.tolist()), linear)


@lru_cache(1 << 12)  # the rules of a study, and other analyses of it, compare the same arms
def _smoother(at: tuple[float, ...], to: tuple[float, ...], linear: bool) -> Floats:
    x, t = np.array(at), np.array(to)
    nodes, node_of = np.unique(x, return_inverse=True)
    span = nodes[-1] - nodes[0]
    near = len(nodes) < 3 or float(np.diff(nodes).min()) < (MIN_SPACING - 1e-9) * span
    if not (linear or near):
        fitted = np.linalg.pinv(np.vander((x - nodes[0]) / span, 3))
        return _fixed(np.vander((t - nodes[0]) / span, 3) @ fitted)
    hats = np.column_stack([np.interp(t, nodes, row) for row in np.eye(len(nodes))])
    share = np.eye(len(nodes))[node_of]
    return _fixed(hats @ (share / share.sum(axis=0)).T)


def _fixed(matrix: Floats) -> Floats:
    """What is kept for others who ask."""
    matrix.flags.writeable = False
    return matrix


def arm_weights(x: Floats, low: float, high: float, linear: bool = False) -> Floats:
    """Weights of the nodes in the arm's mean over [low, high]; they sum to 1."""
    return _arm_weights(tuple(x.tolist()), low, high, linear)


@lru_cache(1 << 12)
def _arm_weights(nodes: tuple[float, ...], low: float, high: float, linear: bool) -> Floats:
    """Simpson's rule between consecutive nodes, which is exact for both bases."""
    x = np.array(nodes)
    inner = np.unique(x[(x > low) & (x < high)])
    edges = np.concatenate([[low], inner, [high]])
    middles = (edges[:-1] + edges[1:]) / 2
    widths = np.diff(edges)[:, None] / (6 * (high - low))
    ends = smoother(x, edges, linear)
    parts = ends[:-1] + 4 * smoother(x, middles, linear) + ends[1:]
    return _fixed((widths * parts).sum(axis=0))


def overlap_of(first: Floats, second: Floats) -> tuple[float, float]:
    """The range of ln(cost) that both arms cover; low >= high if there is none."""
    return float(max(first.min(), second.min())), float(min(first.max(), second.max()))
