"""Random erasing (Zhong et al. 2017, arXiv 1708.04896) and colour jitter, of single images."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

Levels = tuple[float, ...]
# Of an erased box: share of the image's area, and the aspects that its logarithm is uniform in.
AREA, ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)
ATTEMPTS = 10


def erased(
    pixels: NDArray[np.uint8],
    probability: float,
    mean: Levels,
    std: Levels,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """The image (side, side[, channels]) with a box of noise, at this probability.

    Every pixel is normal noise that has mean 0 and variance 1 once it is normalised by `mean` and
    `std` of each channel, but for what lies outside of 0 to 255 (timm's mode pixel).
    """
    if rng.random() >= probability:
        return pixels
    height, width = pixels.shape[:2]
    for _ in range(ATTEMPTS):
        area = rng.uniform(*AREA) * height * width
        aspect = math.exp(rng.uniform(*np.log(ASPECT)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < h < height and 0 < w < width:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            noise = rng.standard_normal((h, w, len(mean))) * std + mean
            erased = pixels.copy()
            box = erased[top : top + h, left : left + w]
            box[...] = noise.round().clip(0, 255).reshape(box.shape)
            return erased
    return pixels


def jittered(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation each times a factor in 1 - strength to 1 + strength, in
    random order."""
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind in rng.permutation(len(kinds)):
        factor = rng.uniform(max(0.0, 1 - strength), 1 + strength)
        image = kinds[int(kind)](image).enhance(factor)
    return image
