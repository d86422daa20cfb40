"""TrivialAugment in its wide form (Müller and Hutter 2021, arXiv 2103.10158): an image draws one of
14 operations and one of 31 strengths. The ranges are torchvision's TrivialAugmentWide;
translations, there 32 px, are meant for 224 px and scale with the image."""

from math import ceil

import numpy as np

from scaling_study.data.images.changes import (
    UNCHANGED,
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
from scaling_study.data.images.operations import REFERENCE_SIDE, Operations, signed

STRENGTHS = 31
TRANSLATE_PX = 32
MOST_BITS_LOST = 6


def _placed(rows: Rows) -> Affine:
    return Affine(rows, (0, 0, 0))


def _move(size: Size, level: float, rng: np.random.Generator) -> float:
    return signed(TRANSLATE_PX * level * size[0] / REFERENCE_SIDE, rng)


def _factor(level: float, rng: np.random.Generator) -> float:
    return 1 + signed(0.99 * level, rng)


# Levels are between 0 and 1.
OPERATIONS: Operations = {
    "Identity": lambda size, level, rng: UNCHANGED,
    "ShearX": lambda size, level, rng: _placed(sheared_x(signed(0.99 * level, rng))),
    "ShearY": lambda size, level, rng: _placed(sheared_y(signed(0.99 * level, rng))),
    "TranslateX": lambda size, level, rng: _placed(moved_x(_move(size, level, rng))),
    "TranslateY": lambda size, level, rng: _placed(moved_y(_move(size, level, rng))),
    "Rotate": lambda size, level, rng: _placed(turned(size, signed(135 * level, rng))),
    "Brightness": lambda size, level, rng: blended(0, _factor(level, rng)),
    "Color": lambda size, level, rng: Saturation(_factor(level, rng)),
    "Contrast": lambda size, level, rng: Contrast(_factor(level, rng)),
    "Sharpness": lambda size, level, rng: Sharpness(_factor(level, rng)),
    "Posterize": lambda size, level, rng: kept_bits(8 - round(MOST_BITS_LOST * level)),
    "Solarize": lambda size, level, rng: solarized(ceil(255 * (1 - level) - 1e-9)),
    "AutoContrast": lambda size, level, rng: AutoContrast(),
    "Equalize": lambda size, level, rng: Equalize(),
}
NAMES = tuple(OPERATIONS)


def trivialaugment(size: Size, rng: np.random.Generator) -> list[Change]:
    """One operation at one strength, both drawn uniformly, for an image of this size."""
    name = NAMES[int(rng.integers(len(NAMES)))]
    return [OPERATIONS[name](size, int(rng.integers(STRENGTHS)) / (STRENGTHS - 1), rng)]
