"""Images of iterated function systems: the chaos game, counted per pixel and shaded.

A system is a few contracting affine maps with how often each is played. Systems of one batch may
differ: each image is played with its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHAINS, BURN_IN, POINTS = 64, 16, 4096
# A system has no more maps than this; smaller ones are filled up with maps that are never played.
MOST_MAPS = 4

Array = NDArray[np.float32]
Draws = Iterable[Array]


@dataclass(frozen=True)
class Maps:
    """One class. `params` (maps, 6): singular values, two angles (rad), translation; then frame.

    `bounds` (MOST_MAPS - 1,): the map of a uniform number is that of as many bounds as lie below.
    """

    params: Array
    bounds: NDArray[np.float64]
    centre: NDArray[np.float64]
    half: float

    @classmethod
    def of(cls, params: Array, weights: NDArray[np.float64]) -> "Maps":
        """Maps that are played with these `weights`, which sum to 1; their frame is not known."""
        bounds = np.ones(MOST_MAPS - 1)
        bounds[: len(weights) - 1] = weights.cumsum()[:-1]
        return cls(params, bounds, np.zeros(2), 1.0)


def steps_of(resolution: int) -> int:
    """Steps of every chain for an image of so many px, burn-in included."""
    return BURN_IN + -(-max(POINTS, 4 * resolution**2) // CHAINS)


def perturbed(params: Array, uniform: Array) -> Array:
    """(..., maps, 6): singular values scaled, angles turned, translations moved by `uniform`."""
    # Above 1 a map would expand and the game diverge.
    singular = (params[..., :2] * (1 + uniform[..., :2] / 2)).clip(max=0.9)
    return np.concatenate([singular, params[..., 2:] + uniform[..., 2:]], axis=-1)


def play(params: Array, bounds: NDArray[np.float64], draws: Draws) -> Array:
    """(2, images, points): `CHAINS` parallel chaos games per image, burn-in left out.

    `params` (images, maps, 6) and `bounds` (images, MOST_MAPS - 1) are each image's own; `draws`
    gives (images, CHAINS) uniform numbers for each step.
    """
    n, maps = params.shape[:2]
    coefficients = _affine(params).reshape(n * maps, 6).T.copy()
    first = (np.arange(n) * maps)[:, None]
    limits = bounds.T[: maps - 1, :, None]
    x = y = np.zeros((n, CHAINS), np.float32)
    visited = []
    for step, uniform in enumerate(draws):
        chosen = first
        for limit in limits:
            chosen = chosen + (uniform > limit)
        # Every index is legal; not to check them saves a third of the time.
        a, b, c, d, right, up = (values.take(chosen, mode="clip") for values in coefficients)
        x, y = a * x + b * y + right, c * x + d * y + up
        if step >= BURN_IN:
            visited.append((x, y))
    return np.stack([np.concatenate(axis, axis=1) for axis in zip(*visited, strict=True)])


def _affine(params: Array) -> Array:
    """(..., 6): the matrix R(first angle) diag(singular values) R(second angle), then the shift."""

    def rotation(angle: Array) -> Array:
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)

    scaled = rotation(params[..., 2]) * params[..., None, :2]
    matrix = np.matmul(scaled, rotation(params[..., 3]), dtype=np.float32)
    return np.concatenate([matrix.reshape(*params.shape[:-1], 4), params[..., 4:]], axis=-1)


def visits(
    points: Array, centre: NDArray[np.float64], half: NDArray[np.float64], side: int
) -> NDArray[np.int64]:
    """(images, side, side) visits per pixel of each image's frame; points outside are dropped.

    A frame is a square about `centre` (images, 2), 2 * `half` (images,) wide.
    """
    n = points.shape[1]
    outside = np.zeros(points.shape[1:], bool)
    cells = []
    for at, middle in zip(points, centre.T, strict=True):
        cell = at - middle[:, None]
        cell += half[:, None]
        cell *= (side / (2 * half))[:, None]
        outside |= (cell < 0) | (cell >= side)
        cells.append(cell.astype(np.int64))
    column, row = cells
    flat = (np.arange(n)[:, None] * side + row) * side + column
    flat[outside] = n * side * side
    counts = np.bincount(flat.ravel(), minlength=n * side * side + 1)
    return counts[:-1].reshape(n, side, side)


def shaded(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Grey levels that do not depend on how many points were played: saturating in the density."""
    visited = (counts > 0).sum((1, 2), keepdims=True).clip(min=1)
    typical = counts.sum((1, 2), keepdims=True) / visited
    density: NDArray[np.float64] = counts / typical.clip(min=1e-9)
    return (255 * (1 - np.exp(-density))).astype(np.uint8)
