"""What augmentation does to an image, as values: drawn without the image, and made by Pillow here.

`training/batched_images` makes the same of whole batches on a GPU, bit for bit.
Images are Pillow's, of mode L or RGB; `of` gives the changed image.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

Picture = Image.Image
# Width and height of an image, px.
Size = tuple[int, int]
# Red, green and blue of what comes in from outside an image; a grey image gets their mean.
Colour = tuple[int, int, int]
# The inverse of a change of places: output (x, y) shows input (a x + b y + c, d x + e y + f).
Rows = tuple[float, float, float, float, float, float]
VALUES = range(256)


class Change(Protocol):
    """One change of an image, everything about which is drawn."""

    def of(self, image: Picture) -> Picture: ...


@dataclass(frozen=True)
class Table:
    """Each value of each channel replaced by that of a table of 256."""

    values: bytes

    def of(self, image: Picture) -> Picture:
        return image.point(self.values * len(image.getbands()))


@dataclass(frozen=True)
class AutoContrast:
    """Each channel stretched to 0 to 255."""

    def of(self, image: Picture) -> Picture:
        return ImageOps.autocontrast(image)


@dataclass(frozen=True)
class Equalize:
    """The histogram of each channel made even."""

    def of(self, image: Picture) -> Picture:
        return ImageOps.equalize(image)


@dataclass(frozen=True)
class Contrast:
    """Values `factor` times as far from the image's mean grey."""

    factor: float

    def of(self, image: Picture) -> Picture:
        return ImageEnhance.Contrast(image).enhance(self.factor)


@dataclass(frozen=True)
class Saturation:
    """Pixels `factor` times as far from their grey."""

    factor: float

    def of(self, image: Picture) -> Picture:
        return ImageEnhance.Color(image).enhance(self.factor)


@dataclass(frozen=True)
class Sharpness:
    """Pixels `factor` times as far from their smoothed neighbourhood."""

    factor: float

    def of(self, image: Picture) -> Picture:
        return ImageEnhance.Sharpness(image).enhance(self.factor)


@dataclass(frozen=True)
class Affine:
    """Pixels of other places, by the nearest pixel or bicubically; outside of the image `fill`."""

    rows: Rows
    fill: Colour
    bicubic: bool = False

    def of(self, image: Picture) -> Picture:
        method = Image.Resampling.BICUBIC if self.bicubic else Image.Resampling.NEAREST
        colour = self.fill if len(image.getbands()) == 3 else (grey_of(self.fill),)
        return image.transform(
            image.size, Image.Transform.AFFINE, self.rows, method, fillcolor=colour
        )


@dataclass(frozen=True)
class Filled:
    """One grey within a box (left, top, right, bottom), which may reach beyond the image."""

    box: tuple[int, int, int, int]
    value: int

    def of(self, image: Picture) -> Picture:
        cut = image.copy()
        cut.paste((self.value,) * len(image.getbands()), self.box)
        return cut


@dataclass(frozen=True, eq=False)
class Pasted:
    """Pixels (height, width[, 3]) with their left upper corner at (left, top)."""

    left: int
    top: int
    pixels: NDArray[np.uint8]

    def of(self, image: Picture) -> Picture:
        cut = image.copy()
        cut.paste(Image.fromarray(self.pixels), (self.left, self.top))
        return cut


def grey_of(colour: Colour) -> int:
    """What a grey image has instead of a colour."""
    return sum(colour) // 3


def table(value_of: Callable[[int], int]) -> Table:
    """The table of a function of a value."""
    return Table(bytes(map(value_of, VALUES)))


UNCHANGED = table(lambda value: value)
INVERTED = table(lambda value: 255 - value)


def solarized(threshold: int) -> Table:
    """Values from the threshold on inverted."""
    return table(lambda value: value if value < threshold else 255 - value)


def kept_bits(bits: int) -> Table:
    """Only the highest `bits` of each value."""
    mask = 256 - (1 << (8 - min(8, bits)))
    return table(lambda value: value & mask)


def blended(grey: int, factor: float) -> Table:
    """Values `factor` times as far from a grey, cut off at 0 and 255, as Pillow's blend has them:
    in single precision, and towards 0."""
    values = np.arange(256, dtype=np.float32)
    moved = np.float32(grey) + np.float32(factor) * (values - np.float32(grey))
    return Table(moved.clip(0, 255).astype(np.uint8).tobytes())


def turned(size: Size, degrees: float) -> Rows:
    """Rows of a turn about the middle, against the clock, as Pillow's rotate has them."""
    angle, (x, y) = -math.radians(degrees % 360), (size[0] / 2, size[1] / 2)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    # In this order, on which the last bits depend.
    across, down = cos * -x + sin * -y, -sin * -x + cos * -y
    return cos, sin, across + x, -sin, cos, down + y


def sheared_x(amount: float) -> Rows:
    return 1, amount, 0, 0, 1, 0


def sheared_y(amount: float) -> Rows:
    return 1, 0, 0, amount, 1, 0


def moved_x(px: float) -> Rows:
    return 1, 0, px, 0, 1, 0


def moved_y(px: float) -> Rows:
    return 1, 0, 0, 0, 1, px
