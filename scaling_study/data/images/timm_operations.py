"""RandAugment as timm has it by the name rand-m7-mstd0.5-inc1: every operation grows stronger with
the magnitude, is applied at a probability of a half, and has a magnitude of its own around the
given one (huggingface/pytorch-image-models, timm/data/auto_augment.py).

Levels are magnitude / 10, between 0 and 1. What comes in is the mean colour of ImageNet, and images
are resampled bicubically, as in the recipes that use it.
"""

import numpy as np

from scaling_study.data.images.changes import (
    INVERTED,
    Affine,
    AutoContrast,
    Change,
    Contrast,
    Equalize,
    Rows,
    Saturation,
    Sharpness,
    Size,
    blended,
    kept_bits,
    moved_x,
    moved_y,
    sheared_x,
    sheared_y,
    solarized,
    turned,
)
from scaling_study.data.images.operations import MAX_LEVEL, Operations, signed, solarize_add

TIMM_SET = "timm_increasing"
PROBABILITY = 0.5
MEAN_COLOUR = (124, 116, 104)
TRANSLATED_SHARE = 0.45


def _placed(rows: Rows) -> Affine:
    return Affine(rows, MEAN_COLOUR, bicubic=True)


def _factor(level: float, rng: np.random.Generator) -> float:
    return max(0.1, 1 + signed(0.9 * level, rng))


def _move(length: int, level: float, rng: np.random.Generator) -> float:
    return signed(TRANSLATED_SHARE * level * length, rng)


OPERATIONS: Operations = {
    "AutoContrast": lambda size, level, rng: AutoContrast(),
    "Equalize": lambda size, level, rng: Equalize(),
    "Invert": lambda size, level, rng: INVERTED,
    "Rotate": lambda size, level, rng: _placed(turned(size, signed(30 * level, rng))),
    "PosterizeIncreasing": lambda size, level, rng: kept_bits(4 - int(4 * level)),
    "SolarizeIncreasing": lambda size, level, rng: solarized(256 - int(256 * level)),
    "SolarizeAdd": lambda size, level, rng: solarize_add(level),
    "ColorIncreasing": lambda size, level, rng: Saturation(_factor(level, rng)),
    "ContrastIncreasing": lambda size, level, rng: Contrast(_factor(level, rng)),
    "BrightnessIncreasing": lambda size, level, rng: blended(0, _factor(level, rng)),
    "SharpnessIncreasing": lambda size, level, rng: Sharpness(_factor(level, rng)),
    "ShearX": lambda size, level, rng: _placed(sheared_x(signed(0.3 * level, rng))),
    "ShearY": lambda size, level, rng: _placed(sheared_y(signed(0.3 * level, rng))),
    "TranslateXRel": lambda size, level, rng: _placed(moved_x(_move(size[0], level, rng))),
    "TranslateYRel": lambda size, level, rng: _placed(moved_y(_move(size[1], level, rng))),
}
NAMES = tuple(OPERATIONS)


def timm_randaugment(
    size: Size, layers: int, magnitude: float, sd: float, rng: np.random.Generator
) -> list[Change]:
    """`layers` draws for an image of this size; `sd` is that of a draw's magnitude."""
    changes = []
    for _ in range(layers):
        name = NAMES[int(rng.integers(len(NAMES)))]
        if rng.random() < PROBABILITY:
            level = min(max(rng.normal(magnitude, sd), 0.0), MAX_LEVEL) / MAX_LEVEL
            changes.append(OPERATIONS[name](size, level, rng))
    return changes
