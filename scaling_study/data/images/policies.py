"""Which operations change a training image: the policy that its data set's settings name."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scaling_study.data.base import DataConfig
from scaling_study.data.images import autoaugment, randaugment
from scaling_study.data.images.erasing import Levels, erased, jittered
from scaling_study.data.images.operations import Picture
from scaling_study.data.images.timm_operations import TIMM_SET, timm_randaugment
from scaling_study.data.images.trivialaugment import trivialaugment

Pixels = NDArray[np.uint8]

Policy = Callable[[Picture, DataConfig, np.random.Generator], Picture]


def _randaugment(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    layers, magnitude = data.randaugment_layers, data.randaugment_magnitude
    if data.augment_ops == TIMM_SET:
        return timm_randaugment(image, layers, magnitude, data.randaugment_sd, rng)
    ops = randaugment.SETS[data.augment_ops]
    if data.randaugment_sd:
        magnitude = max(0.0, float(rng.normal(magnitude, data.randaugment_sd)))
    return randaugment.randaugment(image, layers, magnitude, rng, ops)


def _autoaugment(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    return autoaugment.autoaugment(image, rng, autoaugment.SETS[data.augment_ops])


def _trivialaugment(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    return trivialaugment(image, rng)


POLICIES: Mapping[str, Policy] = {
    "randaugment": _randaugment,
    "autoaugment": _autoaugment,
    "trivialaugment": _trivialaugment,
}


def changes_images(data: DataConfig) -> bool:
    """Whether anything changes single images: RandAugment without layers is none."""
    policy = data.augment_policy != "randaugment" or data.randaugment_layers > 0
    return policy or data.colour_jitter > 0 or data.erasing > 0


def augmented(
    pixels: Pixels, data: DataConfig, levels: tuple[Levels, Levels], rng: np.random.Generator
) -> Pixels:
    """An image (side, side[, 3]) changed by colour jitter, the policy and erasing, in this order.

    `levels`: mean and standard deviation of each channel.
    """
    image = Image.fromarray(pixels)
    if data.colour_jitter:
        image = jittered(image, data.colour_jitter, rng)
    pixels = np.asarray(POLICIES[data.augment_policy](image, data, rng))
    return erased(pixels, data.erasing, *levels, rng) if data.erasing else pixels
