"""RandAugment as timm has it by the name rand-m7-mstd0.5-inc1: every operation grows stronger with
the magnitude, is applied at a probability of a half, and has a magnitude of its own around the
given one (huggingface/pytorch-image-models, timm/data/auto_augment.py).

Levels are magnitude / 10, between 0 and 1. What comes in is the mean colour of ImageNet, and images
are resampled bicubically, as in the recipes that use it.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from scaling_study.data.images.operations import (
    MAX_LEVEL,
    Operation,
    Operations,
    Picture,
    kept_bits,
    signed,
    solarize_add,
)

TIMM_SET = "timm_increasing"
PROBABILITY = 0.5
MEAN_COLOUR = (124, 116, 104)
TRANSLATED_SHARE = 0.45


def _fill(image: Picture) -> tuple[int, ...]:
    bands = len(image.getbands())
    return MEAN_COLOUR if bands == 3 else (sum(MEAN_COLOUR) // 3,) * bands


def _affine(image: Picture, *rows: float) -> Picture:
    method = Image.Resampling.BICUBIC
    return image.transform(image.size, Image.Transform.AFFINE, rows, method, fillcolor=_fill(image))


def _enhance(kind: Callable[[Picture], ImageEnhance._Enhance]) -> Operation:
    return lambda image, level, rng: kind(image).enhance(max(0.1, 1 + signed(0.9 * level, rng)))


def _move(length: int, level: float, rng: np.random.Generator) -> float:
    return signed(TRANSLATED_SHARE * level * length, rng)


OPERATIONS: Operations = {
    "AutoContrast": lambda image, level, rng: ImageOps.autocontrast(image),
    "Equalize": lambda image, level, rng: ImageOps.equalize(image),
    "Invert": lambda image, level, rng: ImageOps.invert(image),
    "Rotate": lambda image, level, rng: image.rotate(
        signed(30 * level, rng), Image.Resampling.BICUBIC, fillcolor=_fill(image)
    ),
    "PosterizeIncreasing": lambda image, level, rng: kept_bits(image, 4 - int(4 * level)),
    "SolarizeIncreasing": lambda image, level, rng: ImageOps.solarize(
        image, 256 - int(256 * level)
    ),
    "SolarizeAdd": solarize_add,
    "ColorIncreasing": _enhance(ImageEnhance.Color),
    "ContrastIncreasing": _enhance(ImageEnhance.Contrast),
    "BrightnessIncreasing": _enhance(ImageEnhance.Brightness),
    "SharpnessIncreasing": _enhance(ImageEnhance.Sharpness),
    "ShearX": lambda image, level, rng: _affine(image, 1, signed(0.3 * level, rng), 0, 0, 1, 0),
    "ShearY": lambda image, level, rng: _affine(image, 1, 0, 0, signed(0.3 * level, rng), 1, 0),
    "TranslateXRel": lambda image, level, rng: _affine(
        image, 1, 0, _move(image.width, level, rng), 0, 1, 0
    ),
    "TranslateYRel": lambda image, level, rng: _affine(
        image, 1, 0, 0, 0, 1, _move(image.height, level, rng)
    ),
}
NAMES = tuple(OPERATIONS)


def timm_randaugment(
    image: Picture, layers: int, magnitude: float, sd: float, rng: np.random.Generator
) -> Picture:
    """`image` (mode L or RGB) after `layers` draws; `sd` is that of a draw's magnitude."""
    for _ in range(layers):
        name = NAMES[int(rng.integers(len(NAMES)))]
        if rng.random() < PROBABILITY:
            level = min(max(rng.normal(magnitude, sd), 0.0), MAX_LEVEL) / MAX_LEVEL
            image = OPERATIONS[name](image, level, rng)
    return image
