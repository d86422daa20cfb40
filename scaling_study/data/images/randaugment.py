"""RandAugment (Cubuk et al. 2020) with the operations and levels of the released EfficientNet
and ResNet-RS code: every layer draws one of 16 operations, all at one magnitude.

Levels are linear in magnitude / 10, also beyond 10. As released, a higher magnitude lets Posterize
keep more bits and Solarize invert fewer pixels. Two things differ from the release: its lengths in
pixels (translation, cutout) scale with the image, so that a resolution axis keeps their meaning,
and Contrast turns about the mean grey level, as in PIL, not about the pixel count / 256.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Picture = Image.Image
MAX_LEVEL = 10
# What the release says in pixels is meant for images of this side.
REFERENCE_SIDE = 224
TRANSLATE_PX, CUTOUT_PX = 100, 40
# Value of pixels that come from outside the image or are cut out.
FILL = 128
ADDED_BELOW = 128


def randaugment(image: Picture, layers: int, magnitude: float, rng: np.random.Generator) -> Picture:
    """`image` (mode L or RGB) after `layers` operations drawn from `OPERATIONS`."""
    for _ in range(layers):
        name = NAMES[int(rng.integers(len(NAMES)))]
        image = OPERATIONS[name](image, magnitude / MAX_LEVEL, rng)
    return image


def _signed(value: float, rng: np.random.Generator) -> float:
    return -value if rng.random() < 0.5 else value


def _move(image: Picture, level: float, rng: np.random.Generator) -> float:
    return _signed(TRANSLATE_PX * level * image.width / REFERENCE_SIDE, rng)


def _fill(image: Picture) -> tuple[int, ...]:
    return (FILL,) * len(image.getbands())


def _affine(image: Picture, *rows: float) -> Picture:
    """Output (x, y) shows input (a x + b y + c, d x + e y + f), nearest pixel."""
    return image.transform(
        image.size, Image.Transform.AFFINE, rows, Image.Resampling.NEAREST, fillcolor=_fill(image)
    )


def _cutout(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    """A grey square around a random pixel; its half side is the released `cutout_const`."""
    half = int(CUTOUT_PX * level * image.width / REFERENCE_SIDE)
    x, y = int(rng.integers(image.width)), int(rng.integers(image.height))
    cut = image.copy()
    cut.paste(_fill(image), (max(0, x - half), max(0, y - half), x + half, y + half))
    return cut


def _posterize(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    kept_bits = min(8, int(4 * level))
    mask = 256 - (1 << (8 - kept_bits))  # none is kept at magnitude 2 and below
    return image.point([value & mask for value in range(256)] * len(image.getbands()))


def _solarize_add(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    added = int(110 * level)
    table = [min(255, v + added) if v < ADDED_BELOW else v for v in range(256)]
    return image.point(table * len(image.getbands()))


def _enhance(kind: Callable[[Picture], ImageEnhance._Enhance]) -> "Operation":
    return lambda image, level, rng: kind(image).enhance(1.8 * level + 0.1)


Operation = Callable[[Picture, float, np.random.Generator], Picture]

OPERATIONS: dict[str, Operation] = {
    "AutoContrast": lambda image, level, rng: ImageOps.autocontrast(image),
    "Equalize": lambda image, level, rng: ImageOps.equalize(image),
    "Invert": lambda image, level, rng: ImageOps.invert(image),
    "Rotate": lambda image, level, rng: image.rotate(
        _signed(30 * level, rng), fillcolor=_fill(image)
    ),
    "Posterize": _posterize,
    "Solarize": lambda image, level, rng: ImageOps.solarize(image, int(256 * level)),
    "Color": _enhance(ImageEnhance.Color),
    "Contrast": _enhance(ImageEnhance.Contrast),
    "Brightness": _enhance(ImageEnhance.Brightness),
    "Sharpness": _enhance(ImageEnhance.Sharpness),
    "ShearX": lambda image, level, rng: _affine(image, 1, _signed(0.3 * level, rng), 0, 0, 1, 0),
    "ShearY": lambda image, level, rng: _affine(image, 1, 0, 0, _signed(0.3 * level, rng), 1, 0),
    "TranslateX": lambda image, level, rng: _affine(image, 1, 0, _move(image, level, rng), 0, 1, 0),
    "TranslateY": lambda image, level, rng: _affine(image, 1, 0, 0, 0, 1, _move(image, level, rng)),
    "Cutout": _cutout,
    "SolarizeAdd": _solarize_add,
}
NAMES = tuple(OPERATIONS)
