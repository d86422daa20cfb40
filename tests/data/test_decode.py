"""Decoding: modes, orientation, crops, damaged bytes."""

from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from helpers.photos import encoded, picture
from scaling_study.data.images import decode
from scaling_study.data.images.decode import CorruptImageError, crop


# Decoding. A picture with a corner of its own colour tells which way is up.
def marked(width: int = 64, height: int = 48) -> Image.Image:
    image = Image.new("RGB", (width, height), (200, 40, 40))
    image.paste((20, 20, 220), (0, 0, width // 2, height // 2))
    return image


def whole(width: int, height: int) -> tuple[float, float, float, float]:
    return 0, 0, width, height


def quadrants(content: bytes) -> list[str]:
    """Colours of the quarters of the whole image, row by row."""
    pixels = crop(content, 16, whole).astype(int)
    means = [pixels[y : y + 4, x : x + 4].mean((0, 1)) for y in (2, 10) for x in (2, 10)]
    return ["rgb"[int(mean.argmax())] for mean in means]


UPRIGHT = ["b", "r", "r", "r"]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "LA", "1"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_mode_becomes_rgb(kind: str, mode: str) -> None:
    if (kind == "JPEG" and mode in ("P", "RGBA", "LA", "1")) or (kind == "PNG" and mode == "CMYK"):
        pytest.skip("the format has no such mode")
    content = encoded(marked().convert(mode), kind, **({"quality": 95} if kind == "JPEG" else {}))
    pixels = crop(content, 16, whole)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    expected = np.asarray(marked().convert(mode).convert("RGB").resize((16, 16)))
    if mode != "1":
        inner = np.s_[2:6, 2:6]
        assert np.abs(pixels[inner].astype(int) - expected[inner]).max() <= 6
    if mode in ("RGB", "CMYK", "P", "RGBA"):
        assert quadrants(content) == UPRIGHT


def test_sixteen_bits_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    content = encoded(Image.fromarray(np.tile(ramp, (64, 1))), "PNG")
    pixels = crop(content, 64, whole)[32, :, 0].astype(int)
    assert np.abs(pixels - (ramp >> 8)).max() <= 1


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 10, 20))
    pixels = crop(encoded(image, "PNG"), 20, whole)
    assert pixels[10, 2].tolist() == [0, 0, 200]
    assert pixels[10, 17].tolist() == [255, 255, 255]
    palette = image.convert("RGB").convert("P")
    blue = palette.getpixel((2, 2))
    assert isinstance(blue, int)
    shown = crop(encoded(palette, "PNG", transparency=blue), 20, whole)
    assert shown[10, 2].tolist() == [255, 255, 255]


# How stored pixels are turned to stand upright, by EXIF's orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright_whatever_exif_says(kind: str, orientation: int) -> None:
    inverse = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = marked()
    if (turn := TURNS.get(orientation)) is not None:
        stored = stored.transpose(inverse.get(turn, turn))
    exif = Image.Exif()
    exif[decode.ORIENTATION] = orientation
    content = encoded(stored, kind, exif=exif)
    assert quadrants(content) == UPRIGHT
    sizes = []
    crop(content, 16, lambda width, height: sizes.append((width, height)) or (0, 0, 8, 8))
    assert sizes == [(64, 48)]


def test_random_crops_decode_no_finer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(marked(800, 600), quality=95)
    shapes = []
    original = simplejpeg.decode_jpeg

    def noted(*arguments: Any, **options: Any) -> Any:
        pixels = original(*arguments, **options)
        shapes.append(pixels.shape)
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", noted)
    coarse = crop(content, 64, lambda width, height: (100, 100, 500, 500))
    fine = crop(content, 500, lambda width, height: (100, 100, 500, 500))
    crop(content, 16, None)  # evaluation decodes in full
    # Five eighths would do as well, and take longer than the whole image.
    crop(content, 250, lambda width, height: (100, 100, 500, 500))
    crop(content, 200, lambda width, height: (100, 100, 500, 500))
    whole, half, quarter = (600, 800, 3), (300, 400, 3), (150, 200, 3)
    assert shapes == [quarter, whole, whole, whole, half]
    blurred = np.asarray(Image.fromarray(fine).resize((64, 64), Image.Resampling.BOX))
    assert np.abs(coarse.astype(int) - blurred).mean() < 3


@pytest.mark.parametrize("box", [(0, 0, 200, 160), (31, 7, 199, 150), (10, 20, 11, 22)])
@pytest.mark.parametrize("side", [24, 48, 300])
def test_a_random_crop_is_resized_as_pillow_does(box: tuple[int, int, int, int], side: int) -> None:
    image = picture(1, 2, 200, 160)
    expected = image.crop(box).resize((side, side), Image.Resampling.BICUBIC)
    shown = crop(encoded(image, "PNG"), side, lambda width, height: box)
    off = np.abs(shown.astype(int) - np.asarray(expected))
    assert off.max() <= (
        1 if side < 100 else 2
    )  # enlarging rounds once more beyond black and white
    assert (off > 0).mean() < 0.02


def test_evaluation_is_the_centre_resized_bicubically() -> None:
    image = picture(1, 2, 200, 160)
    expected = image.crop((30, 10, 170, 150)).resize((48, 48), Image.Resampling.BICUBIC)
    shown = crop(encoded(image, "PNG"), 48, None)
    # PIL's filter reaches across the border of a box, and not of a cropped image.
    assert np.abs(shown[3:-3, 3:-3].astype(int) - np.asarray(expected)[3:-3, 3:-3]).max() <= 1


GOOD = encoded(marked(), quality=95)
DAMAGED = {
    "empty": b"",
    "text": b"<html>404</html>",
    "header alone": GOOD[:100],
    "half": GOOD[: len(GOOD) // 2],
    "half a CMYK": (lambda c: c[: len(c) // 2])(encoded(marked().convert("CMYK"))),
    "half a PNG": (lambda c: c[: len(c) // 2])(encoded(picture(0, 0), "PNG")),
    "torn PNG chunk": encoded(picture(0, 0), "PNG").replace(b"IDAT", b"IDAX"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_are_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(CorruptImageError, match=r"\w"):
        crop(content, 16, None)


def test_stray_bytes_do_not_lose_an_image() -> None:
    stray = GOOD[:-2] + b"\0\0\0" + GOOD[-2:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(stray)
    assert quadrants(stray) == UPRIGHT
