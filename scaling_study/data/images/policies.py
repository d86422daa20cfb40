"""Which operations change a training image: the policy that its data set's settings name."""

from collections.abc import Callable, Mapping

import numpy as np

from scaling_study.data.base import DataConfig
from scaling_study.data.images import autoaugment, randaugment
from scaling_study.data.images.operations import Picture

Policy = Callable[[Picture, DataConfig, np.random.Generator], Picture]


def _randaugment(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    ops = randaugment.SETS[data.augment_ops]
    layers, magnitude = data.randaugment_layers, data.randaugment_magnitude
    return randaugment.randaugment(image, layers, magnitude, rng, ops)


def _autoaugment(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    return autoaugment.autoaugment(image, rng, autoaugment.SETS[data.augment_ops])


POLICIES: Mapping[str, Policy] = {"randaugment": _randaugment, "autoaugment": _autoaugment}


def changes_images(data: DataConfig) -> bool:
    """Whether the policy does anything: RandAugment without layers is none."""
    return data.augment_policy != "randaugment" or data.randaugment_layers > 0


def augmented(image: Picture, data: DataConfig, rng: np.random.Generator) -> Picture:
    """`image` (mode L or RGB) changed by the policy of `data`."""
    return POLICIES[data.augment_policy](image, data, rng)
