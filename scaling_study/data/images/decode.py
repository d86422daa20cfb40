"""Encoded images into pixels: JPEG by simplejpeg, at a fraction of the size where that suffices;
everything else by Pillow. The result is RGB, upright, laid on white where it is transparent.

Random crops are resized by torch, which takes a fraction of Pillow's time for the same filter: one
value in a hundred differs, by a grey level. What is evaluated is resized by Pillow, as published
scores are.
"""

import io
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from math import ceil

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scaling_study.data.images.changes import Size
from scaling_study.data.images.crops import CENTRE, Box, centre_box

ORIENTATION = 0x0112
# Values of EXIF's orientation that swap width and height.
SIDEWAYS = (5, 6, 7, 8)
# Where a JPEG's EXIF block can begin: the segments before it are short.
EXIF_WITHIN = 65_536
MAX_PIXELS = 250_000_000
# Shares of its size at which a JPEG is decoded faster than whole. libjpeg-turbo knows eighths, but
# those between take twice as long as the whole image.
SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
# Part of an image of this width and height (px) to show; None for the centre.
Choose = Callable[[int, int], Box] | None


class CorruptImageError(Exception):
    """These bytes are no image that can be decoded; the message says why."""


def crop(encoded: bytes, side: int, choose: Choose, share: float = CENTRE) -> NDArray[np.uint8]:
    """(side, side, 3): the part of the image that `choose(width, height)` says, resized bicubically
    with antialiasing; without `choose` the centre with this share of the shorter side. Random crops
    decode no finer than they need, and begin and end with a whole pixel of what is decoded.
    CorruptImageError if it cannot be decoded.
    """
    return _checked(encoded, lambda: _crop(encoded, side, choose, share))


def whole(encoded: bytes, side: int) -> tuple[NDArray[np.uint8], Size]:
    """(side, side, 3): all of an image whatever its aspect, and the width and height (px) it had.

    CorruptImageError if it cannot be decoded.
    """
    sizes = []

    def everything(width: int, height: int) -> Box:
        sizes.append((width, height))
        return 0, 0, width, height

    pixels = _checked(encoded, lambda: _crop(encoded, side, everything, 1.0))
    return pixels, sizes[0]


def _checked(encoded: bytes, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What `make` makes of bytes; CorruptImageError if they are damaged."""
    if not encoded:
        raise CorruptImageError("empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about bytes that do no harm
            return make()
    except MemoryError:
        raise
    except UnidentifiedImageError:  # its own message is the address of an object
        raise CorruptImageError("in no format that Pillow knows") from None
    except Exception as error:  # damaged bytes can raise anything
        raise CorruptImageError(f"{type(error).__name__}: {error}") from None


def _crop(encoded: bytes, side: int, choose: Choose, share: float) -> NDArray[np.uint8]:
    if (jpeg := _jpeg_header(encoded)) is not None:
        stored, orientation = jpeg
        width, height = reversed(stored) if orientation in SIDEWAYS else stored
        box = choose(width, height) if choose else centre_box(width, height, share)
        share = _enough(box, side) if choose else 1.0
        least = (ceil(stored[0] * share), ceil(stored[1] * share))
        image = _decode_jpeg(encoded, least, orientation)
    else:
        image = np.asarray(_decode_any(encoded))
        height, width = image.shape[:2]
        box = choose(width, height) if choose else centre_box(width, height, share)
    y, x = image.shape[0] / height, image.shape[1] / width
    scaled = (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
    if choose:
        return part_at(image, scaled, side)
    shown = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC, box=scaled)
    return np.asarray(shown)


def _enough(box: Box, side: int) -> float:
    """The least share of its size at which an image's box still has `side` px both ways."""
    scale = max(side / (box[2] - box[0]), side / (box[3] - box[1]))
    return next((share for share in SHARES if share >= scale), 1.0)


def part_at(image: NDArray[np.uint8], box: Box, side: int) -> NDArray[np.uint8]:
    """(side, side, 3): the box, to whole pixels, of an image (height, width, 3), resized."""
    import torch  # not above: planning, which reads settings of data sets, does without it

    left, top, right, bottom = whole_pixels(box, (image.shape[1], image.shape[0]))
    part = torch.from_numpy(image[top:bottom, left:right]).permute(2, 0, 1)[None]
    # Channels last, or the result has them first and is turned once more.
    part = part.contiguous(memory_format=torch.channels_last)
    shown = torch.nn.functional.interpolate(part, (side, side), mode="bicubic", antialias=True)
    return shown[0].permute(1, 2, 0).numpy()


def whole_pixels(box: Box, size: Size) -> tuple[int, int, int, int]:
    """The box that begins and ends with a pixel of an image of this size, and has one at least."""
    left, top = min(round(box[0]), size[0] - 1), min(round(box[1]), size[1] - 1)
    return left, top, max(left + 1, round(box[2])), max(top + 1, round(box[3]))


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


def _decode_jpeg(encoded: bytes, least: tuple[int, int], orientation: int) -> NDArray[np.uint8]:
    """The upright image with at least this width and height (px) as stored."""
    try:
        pixels = simplejpeg.decode_jpeg(encoded, "RGB", min_width=least[0], min_height=least[1])
    except ValueError:
        # It is strict: stray bytes between segments are no reason to lose an image.
        return np.asarray(_decode_any(encoded))
    if orientation == 1:
        return pixels  # type: ignore[no-any-return]
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = orientation  # simplejpeg gives the pixels without it
    return np.asarray(ImageOps.exif_transpose(image))


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
