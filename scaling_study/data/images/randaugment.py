"""RandAugment (Cubuk et al. 2020): every layer draws one operation, all at one magnitude."""

import numpy as np

from scaling_study.data.images.operations import (
    MAX_LEVEL,
    PIL_SET,
    RELEASED_SET,
    Operations,
    Picture,
    operations,
)

# Lengths of the release, px: translation at magnitude 10, half side of a cut-out square.
LENGTHS = (100, 40)
SETS: dict[str, Operations] = {name: operations(name, *LENGTHS) for name in (PIL_SET, RELEASED_SET)}


def randaugment(
    image: Picture, layers: int, magnitude: float, rng: np.random.Generator, ops: Operations
) -> Picture:
    """`image` (mode L or RGB) after `layers` operations drawn from `ops`, all alike."""
    names = list(ops)
    for _ in range(layers):
        name = names[int(rng.integers(len(names)))]
        image = ops[name](image, magnitude / MAX_LEVEL, rng)
    return image
