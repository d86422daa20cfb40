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
from PIL import Image, ImageEnhance, ImageOps

Picture = Image.Image
Operation = Callable[[Picture, float, np.random.Generator], Picture]
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


def fill(image: Picture, value: int = FILL) -> tuple[int, ...]:
    """A colour of this grey in the image's mode."""
    return (value,) * len(image.getbands())


def by_table(image: Picture, table: list[int]) -> Picture:
    """Each value of each channel replaced by the table's, of 256."""
    return image.point(table * len(image.getbands()))


def affine(image: Picture, *rows: float) -> Picture:
    """Output (x, y) shows input (a x + b y + c, d x + e y + f), nearest pixel."""
    return image.transform(
        image.size, Image.Transform.AFFINE, rows, Image.Resampling.NEAREST, fillcolor=fill(image)
    )


def _posterize(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    # None is kept at magnitude 2 and below.
    return kept_bits(image, int(4 * level))


def kept_bits(image: Picture, bits: int) -> Picture:
    """Only the highest `bits` of each value."""
    mask = 256 - (1 << (8 - min(8, bits)))
    return by_table(image, [value & mask for value in range(256)])


def _solarize(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    return ImageOps.solarize(image, int(256 * level))


def _solarize_bytes(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    return ImageOps.solarize(image, int(256 * level) % 256)


def solarize_add(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    added = int(110 * level)
    return by_table(image, [min(255, v + added) if v < ADDED_BELOW else v for v in range(256)])


def _contrast_about_pixels(image: Picture, level: float, rng: np.random.Generator) -> Picture:
    grey = min(255, image.width * image.height // 256)
    degenerate = Image.new(image.mode, image.size, fill(image, grey))
    return Image.blend(degenerate, image, _factor(level))


def _factor(level: float) -> float:
    return 1.8 * level + 0.1


def _enhance(kind: Callable[[Picture], ImageEnhance._Enhance]) -> Operation:
    return lambda image, level, rng: kind(image).enhance(_factor(level))


def operations(name: str, translate_px: float, cutout_px: float) -> Operations:
    """The set of this name, pil or released, with the largest translation and the half side of a
    cut-out square at magnitude 10, in pixels of an image of `REFERENCE_SIDE`."""
    released = name == RELEASED_SET

    def px(length: float, image: Picture) -> float:
        return length if released else length * image.width / REFERENCE_SIDE

    def move(image: Picture, level: float, rng: np.random.Generator) -> float:
        return signed(px(translate_px * level, image), rng)

    def cutout(image: Picture, level: float, rng: np.random.Generator) -> Picture:
        half = int(px(cutout_px * level, image))
        x, y = int(rng.integers(image.width)), int(rng.integers(image.height))
        cut = image.copy()
        cut.paste(fill(image), (max(0, x - half), max(0, y - half), x + half, y + half))
        return cut

    return {
        "AutoContrast": lambda image, level, rng: ImageOps.autocontrast(image),
        "Equalize": lambda image, level, rng: ImageOps.equalize(image),
        "Invert": lambda image, level, rng: ImageOps.invert(image),
        "Rotate": lambda image, level, rng: image.rotate(
            signed(30 * level, rng), fillcolor=fill(image)
        ),
        "Posterize": _posterize,
        "Solarize": _solarize_bytes if released else _solarize,
        "Color": _enhance(ImageEnhance.Color),
        "Contrast": _contrast_about_pixels if released else _enhance(ImageEnhance.Contrast),
        "Brightness": _enhance(ImageEnhance.Brightness),
        "Sharpness": _enhance(ImageEnhance.Sharpness),
        "ShearX": lambda image, level, rng: affine(image, 1, signed(0.3 * level, rng), 0, 0, 1, 0),
        "ShearY": lambda image, level, rng: affine(image, 1, 0, 0, signed(0.3 * level, rng), 1, 0),
        "TranslateX": lambda image, level, rng: affine(
            image, 1, 0, move(image, level, rng), 0, 1, 0
        ),
        "TranslateY": lambda image, level, rng: affine(
            image, 1, 0, 0, 0, 1, move(image, level, rng)
        ),
        "Cutout": cutout,
        "SolarizeAdd": solarize_add,
    }
