"""Encoded images into pixels: JPEG by simplejpeg, at a fraction of the size where that suffices;
everything else by Pillow. The result is RGB, upright, laid on white where it is transparent.
"""

import io
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import ceil

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scaling_study.data.images.crops import CENTRE, Box, centre_box

ORIENTATION = 0x0112
# Values of EXIF's orientation that swap width and height.
SIDEWAYS = (5, 6, 7, 8)
# Where a JPEG's EXIF block can begin: the segments before it are short.
EXIF_WITHIN = 65_536
MAX_PIXELS = 250_000_000
# Part of an image of this width and height (px) to show; None for the centre.
Choose = Callable[[int, int], Box] | None


class CorruptImageError(Exception):
    """These bytes are no image that can be decoded; the message says why."""


def crop(encoded: bytes, side: int, choose: Choose, share: float = CENTRE) -> NDArray[np.uint8]:
    """(side, side, 3): the part of the image that `choose(width, height)` says, resized bicubically
    with antialiasing; without `choose` the centre with this share of the shorter side. Random crops
    decode no finer than they need.
    CorruptImageError if it cannot be decoded.
    """
    if not encoded:
        raise CorruptImageError("empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about bytes that do no harm
            return _crop(encoded, side, choose, share)
    except MemoryError:
        raise
    except UnidentifiedImageError:  # its own message is the address of an object
        raise CorruptImageError("in no format that Pillow knows") from None
    except Exception as error:  # damaged bytes can raise anything
        raise CorruptImageError(f"{type(error).__name__}: {error}") from None


def _crop(encoded: bytes, side: int, choose: Choose, share: float) -> NDArray[np.uint8]:
    choose_box = choose or partial(centre_box, share=share)
    if (jpeg := _jpeg_header(encoded)) is not None:
        stored, orientation = jpeg
        width, height = reversed(stored) if orientation in SIDEWAYS else stored
        box = choose_box(width, height)
        # The share of the image's size at which the box still has `side` px both ways.
        scale = max(side / (box[2] - box[0]), side / (box[3] - box[1])) if choose else 1.0
        least = [ceil(length * min(1.0, scale)) for length in stored]
        image = _decode_jpeg(encoded, least[0], least[1], orientation)
    else:
        image = _decode_any(encoded)
        width, height = image.size
        box = choose_box(width, height)
    x, y = image.width / width, image.height / height
    scaled = (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=scaled))


def _jpeg_header(encoded: bytes) -> tuple[tuple[int, int], int] | None:
    """Stored width and height in px, EXIF orientation; None if simplejpeg cannot decode it."""
    if not encoded.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(encoded)
    except ValueError:
        return None
    if space in ("CMYK", "YCCK") or width * height > MAX_PIXELS:
        return None
    orientation = 1
    if b"Exif\0\0" in encoded[:EXIF_WITHIN]:
        orientation = Image.open(io.BytesIO(encoded)).getexif().get(ORIENTATION, 1)
    return (width, height), orientation


def _decode_jpeg(encoded: bytes, width: int, height: int, orientation: int) -> Image.Image:
    """The upright image with at least `width` and `height` px as stored."""
    try:
        pixels = simplejpeg.decode_jpeg(encoded, "RGB", min_height=height, min_width=width)
    except ValueError:
        # It is strict: stray bytes between segments are no reason to lose an image.
        return _decode_any(encoded)
    image = Image.fromarray(pixels)
    if orientation == 1:
        return image
    image.getexif()[ORIENTATION] = orientation  # simplejpeg gives the pixels without it
    return ImageOps.exif_transpose(image)


def _decode_any(encoded: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(encoded))
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} px")
    with suppress(SyntaxError, ValueError, TypeError, struct.error):  # a damaged EXIF block
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
