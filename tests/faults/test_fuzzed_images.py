"""Images and shards with any bytes: pixels, or one sentence; no bomb is unpacked."""

import io
import struct
import tarfile
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.strange import answered, damaged_bytes, seeded
from scaling_study.data.images.decode import CorruptImageError, crop
from scaling_study.data.sets.webdataset import _members

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def encoded(form: str, side: int = 12) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer := io.BytesIO(), form)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_any_bytes_of_an_image(form: str) -> None:
    @seeded(60)
    @given(damaged_bytes(encoded(form)))
    def case(content: bytes) -> None:
        with suppress(CorruptImageError):
            assert crop(content, 8, None).shape == (8, 8, 3)

    case()
    assert crop(encoded(form), 8, None).shape == (8, 8, 3)


def chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a kilobyte that says it has so many pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    return b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1), (0, 5)])
def test_a_bomb_is_not_unpacked(size: tuple[int, int]) -> None:
    tracemalloc.start()
    with pytest.raises(CorruptImageError):
        crop(bomb(*size), 8, None)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def shard(path: Path) -> bytes:
    with tarfile.open(path, "w") as tar:
        for name, content in (("a.png", encoded("PNG")), ("a.cls", b"1"), ("b.png", b"x" * 700)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path.read_bytes()


@pytest.mark.slow
def test_any_bytes_of_a_shard(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"

    @seeded(150)
    @given(damaged_bytes(shard(path)), st.integers(0, 600), st.binary(max_size=40))
    def case(content: bytes, at: int, more: bytes) -> None:
        path.write_bytes(content[:at] + more + content[at + len(more) :])
        answered(lambda: len([*_members(path)]) and 0)

    case()
