"""Which part of an image the network gets: random in training, the centre in evaluation."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Left, top, right, bottom, in px of the image; PIL's resize takes fractions of pixels.
Box = tuple[float, float, float, float]

# The released code's bounds for width / height.
ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
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


def centre_box(width: int, height: int) -> Box:
    """The middle square with `CENTRE` of the shorter side."""
    side = CENTRE * min(width, height)
    return _middle(width, height, side, side)


def resized(pixels: NDArray[np.uint8], side: int, method: Image.Resampling) -> NDArray[np.uint8]:
    """Images (n, height, width) or (n, height, width, 3) at `side` x `side` px."""
    if pixels.shape[1:3] == (side, side):
        return pixels
    images = (Image.fromarray(image).resize((side, side), method) for image in pixels)
    return np.stack([np.asarray(image) for image in images])


def _middle(width: int, height: int, w: float, h: float) -> Box:
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2
