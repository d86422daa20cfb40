"""TrivialAugment in its wide form (Müller and Hutter 2021, arXiv 2103.10158): an image draws one of
14 operations and one of 31 strengths. The ranges are torchvision's TrivialAugmentWide;
translations, there 32 px, are meant for 224 px and scale with the image."""

from math import ceil

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from scaling_study.data.images.operations import (
    REFERENCE_SIDE,
    Operations,
    Picture,
    kept_bits,
    signed,
)

STRENGTHS = 31
TRANSLATE_PX = 32
MOST_BITS_LOST = 6


def _affine(image: Picture, *rows: float) -> Picture:
    return image.transform(image.size, Image.Transform.AFFINE, rows, Image.Resampling.NEAREST)


def _move(image: Picture, level: float, rng: np.random.Generator) -> float:
    return signed(TRANSLATE_PX * level * image.width / REFERENCE_SIDE, rng)


# Levels are between 0 and 1.
OPERATIONS: Operations = {
    "Identity": lambda image, level, rng: image,
    "ShearX": lambda image, level, rng: _affine(image, 1, signed(0.99 * level, rng), 0, 0, 1, 0),
    "ShearY": lambda image, level, rng: _affine(image, 1, 0, 0, signed(0.99 * level, rng), 1, 0),
    "TranslateX": lambda image, level, rng: _affine(image, 1, 0, _move(image, level, rng), 0, 1, 0),
    "TranslateY": lambda image, level, rng: _affine(image, 1, 0, 0, 0, 1, _move(image, level, rng)),
    "Rotate": lambda image, level, rng: image.rotate(signed(135 * level, rng)),
    "Brightness": lambda image, level, rng: ImageEnhance.Brightness(image).enhance(
        1 + signed(0.99 * level, rng)
    ),
    "Color": lambda image, level, rng: ImageEnhance.Color(image).enhance(
        1 + signed(0.99 * level, rng)
    ),
    "Contrast": lambda image, level, rng: ImageEnhance.Contrast(image).enhance(
        1 + signed(0.99 * level, rng)
    ),
    "Sharpness": lambda image, level, rng: ImageEnhance.Sharpness(image).enhance(
        1 + signed(0.99 * level, rng)
    ),
    "Posterize": lambda image, level, rng: kept_bits(image, 8 - round(MOST_BITS_LOST * level)),
    "Solarize": lambda image, level, rng: ImageOps.solarize(image, ceil(255 * (1 - level) - 1e-9)),
    "AutoContrast": lambda image, level, rng: ImageOps.autocontrast(image),
    "Equalize": lambda image, level, rng: ImageOps.equalize(image),
}
NAMES = tuple(OPERATIONS)


def trivialaugment(image: Picture, rng: np.random.Generator) -> Picture:
    """`image` (mode L or RGB) after one operation at one strength, both drawn uniformly."""
    name = NAMES[int(rng.integers(len(NAMES)))]
    return OPERATIONS[name](image, int(rng.integers(STRENGTHS)) / (STRENGTHS - 1), rng)
