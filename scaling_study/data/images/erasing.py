"""Random erasing (Zhong et al. 2017, arXiv 1708.04896) and colour jitter, of single images."""

import math
from collections.abc import Callable

import numpy as np

from scaling_study.data.images.changes import (
    Change,
    Contrast,
    Pasted,
    Saturation,
    Size,
    blended,
)

Levels = tuple[float, ...]
# Of an erased box: share of the image's area, and the aspects that its logarithm is uniform in.
AREA, ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)
ATTEMPTS = 10


def erased(
    size: Size, probability: float, mean: Levels, std: Levels, rng: np.random.Generator
) -> list[Change]:
    """A box of noise in an image of this size, at this probability.

    Every pixel is normal noise that has mean 0 and variance 1 once it is normalised by `mean` and
    `std` of each channel, but for what lies outside of 0 to 255 (timm's mode pixel).
    """
    if rng.random() >= probability:
        return []
    width, height = size
    for _ in range(ATTEMPTS):
        area = rng.uniform(*AREA) * height * width
        aspect = math.exp(rng.uniform(*np.log(ASPECT)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < h < height and 0 < w < width:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            noise = rng.standard_normal((h, w, len(mean))) * std + mean
            pixels = noise.round().clip(0, 255).astype(np.uint8)
            return [Pasted(left, top, pixels if len(mean) == 3 else pixels[:, :, 0])]
    return []


# Brightness, contrast and saturation times a factor.
JITTERED: tuple[Callable[[float], Change], ...] = (
    lambda factor: blended(0, factor),
    Contrast,
    Saturation,
)


def jittered(strength: float, rng: np.random.Generator) -> list[Change]:
    """Brightness, contrast and saturation each times a factor in 1 - strength to 1 + strength, in
    random order."""
    return [
        JITTERED[int(kind)](rng.uniform(max(0.0, 1 - strength), 1 + strength))
        for kind in rng.permutation(len(JITTERED))
    ]
