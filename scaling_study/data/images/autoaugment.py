"""AutoAugment (Cubuk et al. 2018) with the policy v0 of the released EfficientNet code: every image
draws one of 25 pairs of operations, each of which has a probability and a magnitude of its own."""

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
LENGTHS = (250, 100)
SETS: dict[str, Operations] = {name: operations(name, *LENGTHS) for name in (PIL_SET, RELEASED_SET)}
# Operation, probability, magnitude (tensorflow/tpu, models/official/efficientnet/autoaugment.py).
Step = tuple[str, float, int]
POLICY_V0: tuple[tuple[Step, Step], ...] = (
    (("Equalize", 0.8, 1), ("ShearY", 0.8, 4)),
    (("Color", 0.4, 9), ("Equalize", 0.6, 3)),
    (("Color", 0.4, 1), ("Rotate", 0.6, 8)),
    (("Solarize", 0.8, 3), ("Equalize", 0.4, 7)),
    (("Solarize", 0.4, 2), ("Solarize", 0.6, 2)),
    (("Color", 0.2, 0), ("Equalize", 0.8, 8)),
    (("Equalize", 0.4, 8), ("SolarizeAdd", 0.8, 3)),
    (("ShearX", 0.2, 9), ("Rotate", 0.6, 8)),
    (("Color", 0.6, 1), ("Equalize", 1.0, 2)),
    (("Invert", 0.4, 9), ("Rotate", 0.6, 0)),
    (("Equalize", 1.0, 9), ("ShearY", 0.6, 3)),
    (("Color", 0.4, 7), ("Equalize", 0.6, 0)),
    (("Posterize", 0.4, 6), ("AutoContrast", 0.4, 7)),
    (("Solarize", 0.6, 8), ("Color", 0.6, 9)),
    (("Solarize", 0.2, 4), ("Rotate", 0.8, 9)),
    (("Rotate", 1.0, 7), ("TranslateY", 0.8, 9)),
    (("ShearX", 0.0, 0), ("Solarize", 0.8, 4)),
    (("ShearY", 0.8, 0), ("Color", 0.6, 4)),
    (("Color", 1.0, 0), ("Rotate", 0.6, 2)),
    (("Equalize", 0.8, 4), ("Equalize", 0.0, 8)),
    (("Equalize", 1.0, 4), ("AutoContrast", 0.6, 2)),
    (("ShearY", 0.4, 7), ("SolarizeAdd", 0.6, 7)),
    (("Posterize", 0.8, 2), ("Solarize", 0.6, 10)),
    (("Solarize", 0.6, 8), ("Equalize", 0.6, 1)),
    (("Color", 0.8, 6), ("Rotate", 0.4, 5)),
)


def autoaugment(size: Size, rng: np.random.Generator, ops: Operations) -> list[Change]:
    """One pair of `POLICY_V0`, drawn from all alike, for an image of this size."""
    changes = []
    for name, probability, magnitude in POLICY_V0[int(rng.integers(len(POLICY_V0)))]:
        if rng.random() < probability:
            changes.append(ops[name](size, magnitude / MAX_LEVEL, rng))
    return changes
