"""Which operations change a training image: the policy that its data set's settings name."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scaling_study.data.base import DataConfig
from scaling_study.data.images import autoaugment, randaugment
from scaling_study.data.images.changes import Change, Size
from scaling_study.data.images.erasing import Levels, erased, jittered
from scaling_study.data.images.timm_operations import TIMM_SET, timm_randaugment
from scaling_study.data.images.trivialaugment import trivialaugment

Pixels = NDArray[np.uint8]

Policy = Callable[[Size, DataConfig, np.random.Generator], list[Change]]


def _randaugment(size: Size, data: DataConfig, rng: np.random.Generator) -> list[Change]:
    layers, magnitude = data.randaugment_layers, data.randaugment_magnitude
    if data.augment_ops == TIMM_SET:
        return timm_randaugment(size, layers, magnitude, data.randaugment_sd, rng)
    ops = randaugment.SETS[data.augment_ops]
    if data.randaugment_sd:
        magnitude = max(0.0, float(rng.normal(magnitude, data.randaugment_sd)))
    return randaugment.randaugment(size, layers, magnitude, rng, ops)


def _autoaugment(size: Size, data: DataConfig, rng: np.random.Generator) -> list[Change]:
    return autoaugment.autoaugment(size, rng, autoaugment.SETS[data.augment_ops])


def _trivialaugment(size: Size, data: DataConfig, rng: np.random.Generator) -> list[Change]:
    return trivialaugment(size, rng)


POLICIES: Mapping[str, Policy] = {
    "randaugment": _randaugment,
    "autoaugment": _autoaugment,
    "trivialaugment": _trivialaugment,
}


def changes_images(data: DataConfig) -> bool:
    """Whether anything changes single images: RandAugment without layers is none."""
    policy = data.augment_policy != "randaugment" or data.randaugment_layers > 0
    return policy or data.colour_jitter > 0 or data.erasing > 0


def drawn(
    size: Size, data: DataConfig, levels: tuple[Levels, Levels], rng: np.random.Generator
) -> list[Change]:
    """What changes an image of this size: colour jitter, the policy and erasing, in this order.

    `levels`: mean and standard deviation of each channel.
    """
    jitter = jittered(data.colour_jitter, rng) if data.colour_jitter else []
    policy = POLICIES[data.augment_policy](size, data, rng)
    return [*jitter, *policy, *(erased(size, data.erasing, *levels, rng) if data.erasing else [])]


def augmented(pixels: Pixels, changes: list[Change]) -> Pixels:
    """An image (side, side[, 3]) after these changes."""
    image = Image.fromarray(pixels)
    for change in changes:
        image = change.of(image)
    return np.asarray(image)
