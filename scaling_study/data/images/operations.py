"""Operations of AutoAugment and RandAugment (Cubuk et al. 2018, 2020), with the levels of the
released EfficientNet and ResNet-RS code. Levels are linear in magnitude / 10, also beyond 10; as
released, a higher one lets Posterize keep more bits and Solarize invert fewer pixels.

`pil` differs from the release in three things, and `released` does as it does:
- lengths in pixels (translation, cutout) scale with the image, so that a resolution axis keeps
  their meaning; in the release they are the same at every resolution;
- Contrast turns about the mean grey level; in the release about the number of pixels / 256, at
  most 255;
- Solarize's threshold is a number; in the release it is a byte, so that 256 is 0 and inverts the
  whole image, and 384 is 128 (google-research/big_vision#110).
"""

from collections.abc import Callable

import numpy as np

from scaling_study.data.images.changes import (
    INVERTED,
    Affine,
    AutoContrast,
    Change,
    Contrast,
    Equalize,
    Filled,
    Rows,
    Saturation,
    Sharpness,
    Size,
    Table,
    blended,
    kept_bits,
    moved_x,
    moved_y,
    sheared_x,
    sheared_y,
    solarized,
    table,
    turned,
)

# What is done to an image of this size at this level.
Operation = Callable[[Size, float, np.random.Generator], Change]
Operations = dict[str, Operation]
MAX_LEVEL = 10
PIL_SET, RELEASED_SET = "pil", "released"
# What the release says in pixels is meant for images of this side.
REFERENCE_SIDE = 224
# Value of pixels that come from outside the image or are cut out.
FILL = 128
ADDED_BELOW = 128


def signed(value: float, rng: np.random.Generator) -> float:
    return -value if rng.random() < 0.5 else value


def placed(rows: Rows) -> Affine:
    return Affine(rows, (FILL, FILL, FILL))


def solarize_add(level: float) -> Table:
    added = int(110 * level)
    return table(lambda value: min(255, value + added) if value < ADDED_BELOW else value)


def _factor(level: float) -> float:
    return 1.8 * level + 0.1


def operations(name: str, translate_px: float, cutout_px: float) -> Operations:
    """The set of this name, pil or released, with the largest translation and the half side of a
    cut-out square at magnitude 10, in pixels of an image of `REFERENCE_SIDE`."""
    released = name == RELEASED_SET

    def px(length: float, size: Size) -> float:
        return length if released else length * size[0] / REFERENCE_SIDE

    def move(size: Size, level: float, rng: np.random.Generator) -> float:
        return signed(px(translate_px * level, size), rng)

    def cutout(size: Size, level: float, rng: np.random.Generator) -> Change:
        half = int(px(cutout_px * level, size))
        x, y = int(rng.integers(size[0])), int(rng.integers(size[1]))
        return Filled((max(0, x - half), max(0, y - half), x + half, y + half), FILL)

    def solarize(size: Size, level: float, rng: np.random.Generator) -> Change:
        threshold = int(256 * level)
        return solarized(threshold % 256 if released else threshold)

    def contrast(size: Size, level: float, rng: np.random.Generator) -> Change:
        if released:
            return blended(min(255, size[0] * size[1] // 256), _factor(level))
        return Contrast(_factor(level))

    return {
        "AutoContrast": lambda size, level, rng: AutoContrast(),
        "Equalize": lambda size, level, rng: Equalize(),
        "Invert": lambda size, level, rng: INVERTED,
        "Rotate": lambda size, level, rng: placed(turned(size, signed(30 * level, rng))),
        # No bit is kept at magnitude 2 and below.
        "Posterize": lambda size, level, rng: kept_bits(int(4 * level)),
        "Solarize": solarize,
        "Color": lambda size, level, rng: Saturation(_factor(level)),
        "Contrast": contrast,
        "Brightness": lambda size, level, rng: blended(0, _factor(level)),
        "Sharpness": lambda size, level, rng: Sharpness(_factor(level)),
        "ShearX": lambda size, level, rng: placed(sheared_x(signed(0.3 * level, rng))),
        "ShearY": lambda size, level, rng: placed(sheared_y(signed(0.3 * level, rng))),
        "TranslateX": lambda size, level, rng: placed(moved_x(move(size, level, rng))),
        "TranslateY": lambda size, level, rng: placed(moved_y(move(size, level, rng))),
        "Cutout": cutout,
        "SolarizeAdd": lambda size, level, rng: solarize_add(level),
    }
