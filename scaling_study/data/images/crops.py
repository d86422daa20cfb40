"""Which part of an image the network gets: random in training, the centre in evaluation."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Left, top, right, bottom, in px of the image; PIL's resize takes fractions of pixels.
Box = tuple[float, float, float, float]
# Of an image's width and height (px), the least area of the crop as a share, and a generator.
Sampler = Callable[[int, int, float, np.random.Generator], Box]

# The released code's bounds for width / height.
ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
# Share of the image that a crop of the released code covers at least (its min_object_covered).
RELEASED_COVERED = 0.1
# Evaluation sees the middle square of this share of the shorter side.
CENTRE = 0.875


def random_box(width: int, height: int, min_area: float, rng: np.random.Generator) -> Box:
    """A random-resized crop (Szegedy et al. 2015): area uniform in [min_area, 1] of the image,
    the logarithm of the aspect uniform in that of `ASPECT`.

    Where ten draws do not fit, it is the largest centred box whose aspect is allowed.
    """
    for _ in range(ATTEMPTS):
        area = rng.uniform(min_area, 1) * width * height
        aspect = math.exp(rng.uniform(*np.log(ASPECT)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = int(rng.integers(0, width - w + 1))
            top = int(rng.integers(0, height - h + 1))
            return left, top, left + w, top + h
    return _middle(width, height, min(width, height * ASPECT[1]), min(height, width / ASPECT[0]))


def diameter_box(
    width: int, height: int, min_area: float, rng: np.random.Generator, covered: float = 0.0
) -> Box:
    """A random crop as TensorFlow's sample_distorted_bounding_box draws it.

    The aspect is uniform in `ASPECT`, and the height among those that leave the area within
    [min_area, 1] of the image, so that small crops are more frequent than with a uniform area. A
    crop never ends at the far edge, one of less than `covered` of the image is drawn again, and
    where ten draws do not fit, or the crop is the whole image, it is the centre of evaluation.
    """
    for _ in range(ATTEMPTS):
        aspect = rng.uniform(*ASPECT)
        sides = _sides(width, height, min_area, aspect, rng)
        if sides is None or sides[0] * sides[1] < covered * width * height:
            continue
        w, h = sides
        if (w, h) == (width, height):
            break
        top = int(rng.integers(height - h)) if h < height else 0
        left = int(rng.integers(width - w)) if w < width else 0
        return left, top, left + w, top + h
    return centre_box(width, height)


def _sides(
    width: int, height: int, min_area: float, aspect: float, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Width and height of a crop of this aspect; None if rounding leaves none that is allowed."""
    least, most = min_area * width * height, width * height
    low, high = round(math.sqrt(least / aspect)), round(math.sqrt(most / aspect))
    while high > height or round(high * aspect) > width:
        high -= 1
    h = int(rng.integers(min(low, high), high + 1))
    if round(h * aspect) * h < least:
        h += 1
    w = round(h * aspect)
    fits = least <= w * h <= most and 0 < w <= width and 0 < h <= height
    return (w, h) if fits else None


def centre_box(width: int, height: int, share: float = CENTRE) -> Box:
    """The middle square with this share of the shorter side."""
    side = share * min(width, height)
    return _middle(width, height, side, side)


def resized(
    pixels: NDArray[np.uint8],
    side: int,
    method: Image.Resampling,
    boxes: Sequence[Box] | None = None,
) -> NDArray[np.uint8]:
    """Images (n, height, width[, 3]), or a box of each, at `side` x `side` px."""
    if boxes is None and pixels.shape[1:3] == (side, side):
        return pixels
    whole = (0, 0, pixels.shape[2], pixels.shape[1])
    parts = zip(pixels, boxes or [whole] * len(pixels), strict=True)
    shown = (Image.fromarray(one).resize((side, side), method, box=box) for one, box in parts)
    return np.stack([np.asarray(image) for image in shown])


def _middle(width: int, height: int, w: float, h: float) -> Box:
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


# By the name of `data.crop_sampler`.
SAMPLERS: dict[str, Sampler] = {
    "area": random_box,
    "diameter": diameter_box,
    "released": partial(diameter_box, covered=RELEASED_COVERED),
}
