"""Rendered fractals: a data set that needs no download and means something at any resolution.

A class is an iterated function system, two to four contracting affine maps (FractalDB, Kataoka et
al. 2020); an image is the chaos game of its class's maps with perturbed parameters, mirrored at
random. The same points are drawn at every resolution, so a finer image shows more detail of the
same object. Images per class are limited, so that over-fitting is possible.
"""

import hashlib
import json
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.validation import later, require
from scaling_study.data.base import POOL, DataConfig, DataSet, Sizes
from scaling_study.data.splits import Images
from scaling_study.data.storage.array_cache import cached_images

# Raised whenever rendering changes, so that an old cache is not taken for the new images.
RENDERER = 1
CHAINS, BURN_IN, POINTS = 64, 16, 4096
BLOCK = 64
# A class must cover this share of a coarse grid: neither a few dots nor a filled square.
COARSE, FILL = 32, (0.12, 0.55)

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FractalsConfig(DataConfig):
    """`perturbation` scales how far an image's map parameters lie from those of its class;
    `label_noise` is the share of training labels redrawn uniformly; `seed` draws classes and images
    of the data set, not the runs. `pool_images` more have no labels, of all classes alike.
    """

    CLASS_SETTINGS: ClassVar[tuple[str, ...]] = ("classes", "seed")
    POOL_ADVICE: ClassVar[str] = "give data.pool_images"

    classes: int
    train_per_class: int
    val_per_class: int
    perturbation: float
    label_noise: float
    seed: int
    pool_images: int = later(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.classes >= 2, "data.classes", self.classes, "must be at least 2")
        for name in ("train_per_class", "val_per_class"):
            images = getattr(self, name)
            require(images >= 1, f"data.{name}", images, "must be 1 or more")
        for name in ("perturbation", "label_noise"):
            rate = getattr(self, name)
            require(0 <= rate <= 1, f"data.{name}", rate, "must be in [0, 1]")
        require(self.seed >= 0, "data.seed", self.seed, "must be 0 or more")
        require(self.pool_images >= 0, "data.pool_images", self.pool_images, "must be 0 or more")


@dataclass(frozen=True)
class Maps:
    """One class. `params` (maps, 6): singular values, two angles (rad), translation; then frame."""

    params: Array
    weights: NDArray[np.float64]
    centre: Array
    half: float


def sizes(data: FractalsConfig, cache_dir: Path | None) -> Sizes:
    n_train, n_val = data.classes * data.train_per_class, data.classes * data.val_per_class
    images = {"train": n_train, "test": n_val, POOL: data.pool_images}
    return Sizes(data.classes, images, channels=1)


def load(data: FractalsConfig, part: str, cache_dir: Path) -> Images:
    """The images of `part`, rendered once and then read from `cache_dir`."""
    if part == POOL:
        return _pool(data, cache_dir)
    drawn = (data.classes, data.train_per_class, data.val_per_class, data.perturbation, data.seed)
    text = json.dumps([RENDERER, data.resolution, *drawn])
    path = cache_dir / f"fractals-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    images = cached_images(
        path, part, lambda: dict(zip(("train", "test"), render(data), strict=True))
    )
    if part != "train":
        return images
    rng, n = np.random.default_rng([data.seed, 2]), len(images.labels)
    redrawn = rng.random(n) < data.label_noise
    labels = np.where(redrawn, rng.integers(0, data.classes, n), images.labels)
    return Images(images.pixels, labels)


def _pool(data: FractalsConfig, cache_dir: Path) -> Images:
    drawn = (data.classes, data.pool_images, data.perturbation, data.seed)
    text = json.dumps([RENDERER, data.resolution, *drawn])
    path = cache_dir / f"fractals-pool-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    return cached_images(path, POOL, lambda: {POOL: render_pool(data)})


def render_pool(data: FractalsConfig) -> Images:
    """The images without labels: as many of each class as of the others, or one more."""
    classes = enumerate(_classes(data))
    pixels = [
        _render_class(maps, data, (data.seed, 2, number), images)
        for number, maps in classes
        if (images := len(range(number, data.pool_images, data.classes)))
    ]
    return Images(np.concatenate(pixels), np.full(data.pool_images, -1))


def _classes(data: FractalsConfig) -> list["Maps"]:
    rng = np.random.default_rng([data.seed, 0])
    return list(islice(filter(None, map(_draw_maps, repeat(rng))), data.classes))


def render(data: FractalsConfig) -> tuple[Images, Images]:
    """Training and evaluation images, classes in order, from `data.seed` alone."""
    classes = _classes(data)

    def images(split: int, per_class: int) -> Images:
        pixels = [
            _render_class(maps, data, (data.seed, split, number), per_class)
            for number, maps in enumerate(classes)
        ]
        return Images(np.concatenate(pixels), np.repeat(np.arange(data.classes), per_class))

    return images(0, data.train_per_class), images(1, data.val_per_class)


def _draw_maps(rng: np.random.Generator) -> Maps | None:
    """One class's function system; None if it covers too little or too much."""
    n_maps = int(rng.integers(2, 5))
    singular = rng.uniform(0.3, 0.85, (n_maps, 2))
    angles = rng.uniform(-np.pi, np.pi, (n_maps, 2))
    shifts = rng.uniform(-1, 1, (n_maps, 2))
    params = np.concatenate([singular, angles, shifts], axis=1).astype(np.float32)
    # Points spread evenly when a map is played as often as the area it keeps.
    area = singular.prod(axis=1)
    weights = area / area.sum()
    points = _play(params[None], weights, POINTS, rng)[0]
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    maps = Maps(params, weights, (low + high) / 2, float(0.55 * (high - low).max()))
    filled = (_histogram(points[None], maps, COARSE) > 0).mean()
    return maps if FILL[0] <= filled <= FILL[1] else None


def _render_class(
    maps: Maps, data: FractalsConfig, key: tuple[int, int, int], n_images: int
) -> NDArray[np.uint8]:
    """(n_images, side, side) grey levels, drawn in blocks so that memory is bounded."""
    blocks = []
    for first in range(0, n_images, BLOCK):
        rng = np.random.default_rng([*key, first, 1])
        n = min(BLOCK, n_images - first)
        params = _perturb(maps, n, data.perturbation, rng)
        mirrored = rng.random(n) < 0.5
        points = _play(params, maps.weights, max(POINTS, 4 * data.resolution**2), rng)
        pixels = _shade(_histogram(points, maps, data.resolution))
        blocks.append(np.where(mirrored[:, None, None], pixels[:, :, ::-1], pixels))
    return np.concatenate(blocks)


def _perturb(maps: Maps, n: int, amount: float, rng: np.random.Generator) -> Array:
    """(n, maps, 6): singular values scaled, angles turned, translations moved, all uniformly."""
    noise = rng.uniform(-amount, amount, (n, *maps.params.shape)).astype(np.float32)
    # Above 1 a map would expand and the game diverge.
    singular = (maps.params[:, :2] * (1 + noise[..., :2] / 2)).clip(max=0.9)
    return np.concatenate([singular, maps.params[:, 2:] + noise[..., 2:]], axis=-1)


def _play(
    params: Array, weights: NDArray[np.float64], n_points: int, rng: np.random.Generator
) -> Array:
    """(images, about n_points, 2): `CHAINS` parallel chaos games per image, burn-in left out."""
    n = len(params)
    matrix, shift = _affine(params)
    bounds = weights.cumsum()[:-1]
    image = np.arange(n)[:, None]
    x = np.zeros((n, CHAINS, 2), np.float32)
    visited = []
    for step in range(BURN_IN + -(-n_points // CHAINS)):
        choice = np.searchsorted(bounds, rng.random((n, CHAINS), np.float32))
        a = matrix[image, choice]
        x = (a * x[:, :, None, :]).sum(-1) + shift[image, choice]
        if step >= BURN_IN:
            visited.append(x)
    return np.concatenate(visited, axis=1)


def _affine(params: Array) -> tuple[Array, Array]:
    """(..., 2, 2) matrices R(first angle) diag(singular values) R(second angle), and shifts."""

    def rotation(angle: Array) -> Array:
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)

    scaled = rotation(params[..., 2]) * params[..., None, :2]
    return np.matmul(scaled, rotation(params[..., 3]), dtype=np.float32), params[..., 4:]


def _histogram(points: Array, maps: Maps, side: int) -> NDArray[np.int64]:
    """(images, side, side) visits per pixel of the class's frame; points outside are dropped."""
    cell = np.floor((points - maps.centre + maps.half) * (side / (2 * maps.half))).astype(np.int64)
    inside = ((cell >= 0) & (cell < side)).all(-1)
    image = np.broadcast_to(np.arange(len(points))[:, None], inside.shape)
    flat = (image * side + cell[..., 1]) * side + cell[..., 0]
    counts = np.bincount(flat[inside], minlength=len(points) * side * side)
    return counts.reshape(len(points), side, side)


def _shade(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Grey levels that do not depend on how many points were played: saturating in the density."""
    visited = (counts > 0).sum((1, 2), keepdims=True).clip(min=1)
    typical = counts.sum((1, 2), keepdims=True) / visited
    density: NDArray[np.float64] = counts / typical.clip(min=1e-9)
    return (255 * (1 - np.exp(-density))).astype(np.uint8)


DATA_SET = DataSet(FractalsConfig, sizes, load)
