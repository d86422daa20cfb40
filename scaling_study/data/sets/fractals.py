"""Rendered fractals: a data set that needs no download and means something at any resolution.

A class is an iterated function system, two to four contracting affine maps (FractalDB, Kataoka et
al. 2020); an image is the chaos game of its class's maps with perturbed parameters, mirrored at
random. The same points are drawn at every resolution, so a finer image shows more detail of the
same object. Images per class are limited, so that over-fitting is possible.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.validation import later, require
from scaling_study.data.base import POOL, DataConfig, DataSet, Sizes
from scaling_study.data.images.chaos_game import (
    CHAINS,
    MOST_MAPS,
    Array,
    Maps,
    perturbed,
    play,
    shaded,
    steps_of,
    visits,
)
from scaling_study.data.splits import Images, Rendered
from scaling_study.data.storage.array_cache import cached_images

# Raised whenever rendering changes, so that an old cache is not taken for the new images.
RENDERER = 1
BLOCK = 64
# What a generator's key begins with: images of a part, or those of later epochs.
TRAIN, TEST, UNLABELLED, EPOCHS = range(4)
# A class must cover this share of a coarse grid: neither a few dots nor a filled square.
COARSE, FILL = 32, (0.12, 0.55)


@dataclass(frozen=True, kw_only=True)
class FractalsConfig(DataConfig):
    """`perturbation` scales how far an image's map parameters lie from those of its class;
    `label_noise` is the share of training labels redrawn uniformly; `seed` draws classes and images
    of the data set, not the runs. `pool_images` more have no labels, of all classes alike.
    """

    RENDERS: ClassVar[bool] = True
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
    if not data.fresh:
        return Images(images.pixels, labels)
    return Rendered(images.pixels, labels, NewImages(data, tuple(_classes(data))), np.arange(n))


@dataclass(frozen=True)
class NewImages:
    """Training images of the epochs after the first, each drawn from (seed, class, place, epoch).

    Drawn one by one, so that a batch has the same images whoever makes which part of it.
    """

    data: FractalsConfig
    systems: tuple[Maps, ...]

    def render(self, epoch: int, numbers: NDArray[np.int64]) -> Images:
        """The images at these places in the training images of `epoch`, with their labels."""
        blocks = range(0, len(numbers), BLOCK)
        made = [self._block(epoch, numbers[first : first + BLOCK]) for first in blocks]
        pixels, labels = zip(*made, strict=True)
        return Images(np.concatenate(pixels), np.concatenate(labels))

    def _block(
        self, epoch: int, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        data, steps = self.data, steps_of(self.data.resolution)
        labels, places = np.divmod(numbers, data.train_per_class)
        systems = [self.systems[label] for label in labels]
        keys = zip(labels.tolist(), places.tolist(), strict=True)
        rngs = [np.random.default_rng([data.seed, EPOCHS, *key, epoch, 1]) for key in keys]
        uniform = np.zeros((len(numbers), MOST_MAPS, 6))
        for moved, maps, rng in zip(uniform, systems, rngs, strict=True):
            shape = maps.params.shape
            moved[: len(maps.params)] = rng.uniform(-data.perturbation, data.perturbation, shape)
        mirrored = np.array([rng.random() < 0.5 for rng in rngs])
        redrawn = [(rng.random() < data.label_noise, rng.integers(data.classes)) for rng in rngs]
        draws = np.stack([rng.random((steps, CHAINS), np.float32) for rng in rngs], axis=1)
        noisy = [
            new if redraw else label for (redraw, new), label in zip(redrawn, labels, strict=True)
        ]
        return _pixels(systems, uniform, mirrored, draws, data.resolution), np.array(noisy)


def _pool(data: FractalsConfig, cache_dir: Path) -> Images:
    drawn = (data.classes, data.pool_images, data.perturbation, data.seed)
    text = json.dumps([RENDERER, data.resolution, *drawn])
    path = cache_dir / f"fractals-pool-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    return cached_images(path, POOL, lambda: {POOL: render_pool(data)})


def render_pool(data: FractalsConfig) -> Images:
    """The images without labels: as many of each class as of the others, or one more."""
    classes = enumerate(_classes(data))
    pixels = [
        _render_class(maps, data, (data.seed, UNLABELLED, number), images)
        for number, maps in classes
        if (images := len(range(number, data.pool_images, data.classes)))
    ]
    return Images(np.concatenate(pixels), np.full(data.pool_images, -1))


def _classes(data: FractalsConfig) -> list[Maps]:
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

    return images(TRAIN, data.train_per_class), images(TEST, data.val_per_class)


def _draw_maps(rng: np.random.Generator) -> Maps | None:
    """One class's function system; None if it covers too little or too much."""
    n_maps = int(rng.integers(2, MOST_MAPS + 1))
    singular = rng.uniform(0.3, 0.85, (n_maps, 2))
    angles = rng.uniform(-np.pi, np.pi, (n_maps, 2))
    shifts = rng.uniform(-1, 1, (n_maps, 2))
    params = np.concatenate([singular, angles, shifts], axis=1).astype(np.float32)
    # Points spread evenly when a map is played as often as the area it keeps.
    area = singular.prod(axis=1)
    unframed = Maps.of(params, area / area.sum())
    points = play(params[None], unframed.bounds[None], _draws(rng, 1, steps_of(1)))
    low, high = np.quantile(points[:, 0], [0.01, 0.99], axis=1)
    maps = replace(unframed, centre=(low + high) / 2, half=float(0.55 * (high - low).max()))
    filled = (visits(points, maps.centre[None], np.array([maps.half]), COARSE) > 0).mean()
    return maps if FILL[0] <= filled <= FILL[1] else None


def _draws(rng: np.random.Generator, images: int, steps: int) -> Iterator[Array]:
    return (rng.random((images, CHAINS), np.float32) for _ in range(steps))


def _render_class(
    maps: Maps, data: FractalsConfig, key: tuple[int, int, int], n_images: int
) -> NDArray[np.uint8]:
    """(n_images, side, side) grey levels, drawn in blocks so that memory is bounded."""
    blocks = []
    for first in range(0, n_images, BLOCK):
        rng = np.random.default_rng([*key, first, 1])
        n = min(BLOCK, n_images - first)
        uniform = rng.uniform(-data.perturbation, data.perturbation, (n, *maps.params.shape))
        mirrored = rng.random(n) < 0.5
        draws = _draws(rng, n, steps_of(data.resolution))
        blocks.append(_pixels([maps] * n, uniform, mirrored, draws, data.resolution))
    return np.concatenate(blocks)


def _pixels(
    systems: Sequence[Maps],
    uniform: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
    draws: Iterable[Array],
    side: int,
) -> NDArray[np.uint8]:
    """(images, side, side) grey levels of the perturbed `systems`, those `mirrored` (images,) so.

    `uniform` (images, maps, 6) is in +- the perturbation, `draws` are those of `play`.
    """
    most = uniform.shape[1]
    params = np.stack([np.resize(maps.params, (most, 6)) for maps in systems])
    bounds = np.stack([maps.bounds for maps in systems])
    points = play(perturbed(params, uniform.astype(np.float32)), bounds, draws)
    centre = np.stack([maps.centre for maps in systems])
    half = np.array([maps.half for maps in systems])
    pixels = shaded(visits(points, centre, half, side))
    return np.where(mirrored[:, None, None], pixels[:, :, ::-1], pixels)


DATA_SET = DataSet(FractalsConfig, sizes, load)
