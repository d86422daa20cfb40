"""RandAugment (Cubuk et al. 2020): every layer draws one operation, all at one magnitude."""

import numpy as np

from scaling_study.data.images.changes import Change, Size
from scaling_study.data.images.operations import (
    MAX_LEVEL,
    PIL_SET,
    RELEASED_SET,
    Operations,
    operations,
)

# Lengths of the release, px: translation at magnitude 10, half side of a cut-out square.
LENGTHS = (100, 40)
SETS: dict[str, Operations] = {name: operations(name, *LENGTHS) for name in (PIL_SET, RELEASED_SET)}


def randaugment(
    size: Size, layers: int, magnitude: float, rng: np.random.Generator, ops: Operations
) -> list[Change]:
    """`layers` operations drawn from `ops`, all alike, for an image of this size."""
    names = list(ops)
    changes = []
    for _ in range(layers):
        name = names[int(rng.integers(len(names)))]
        changes.append(ops[name](size, magnitude / MAX_LEVEL, rng))
    return changes
