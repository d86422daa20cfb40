"""Decoded images at one size on a local disk, which runs and their workers share.

Two files hold the images of one listing of a part: NAME.pixels has a place of `side` x `side` x 3
bytes for each, in the order of the source, and NAME.index a record of 16. An image is there once
its record is, which is written last; two processes that make the same image write the same bytes.
A record holds a sum of the pixels, so that an image that was damaged is made again.
"""

from __future__ import annotations

import errno
import os
import shutil
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.format import engineering
from scaling_study.data.splits import Listed

if TYPE_CHECKING:  # plans ask for sizes alone, without Pillow
    from scaling_study.data.images.changes import Size

# Sum of the pixels; width and height of the whole image, px.
RECORD = struct.Struct("<QII")
# Raised whenever an image would be stored in another way.
VERSION = 1
# Files whose disk took no more; a process does not ask again.
_given_up: set[Path] = set()


def stored_bytes(images: int, side: int) -> int:
    """What so many images take on the disk."""
    return images * (3 * side**2 + RECORD.size)


@dataclass(frozen=True)
class StoredImages:
    """Images (side, side, 3) by their numbers in the source; `path` without its ending."""

    path: Path
    side: int

    def read(self, number: int) -> tuple[NDArray[np.uint8], Size] | None:
        """An image, and the size it had; None if it is not there, was damaged, or is unreadable."""
        length = 3 * self.side**2
        content = bytearray(length)
        try:
            record = os.pread(_opened(self._index), RECORD.size, RECORD.size * number)
            if len(record) < RECORD.size or not any(record):
                return None
            found = os.preadv(_opened(self._pixels), [content], length * number)
        except OSError:
            return None
        total, *size = RECORD.unpack(record)
        pixels = np.frombuffer(content, np.uint8)
        if found < length or total != _sum(pixels, (size[0], size[1])):
            return None
        return pixels.reshape(self.side, self.side, 3), (size[0], size[1])

    def write(self, number: int, pixels: NDArray[np.uint8], size: Size) -> None:
        """Keep an image; where the disk takes no more, say so once and keep none."""
        if self.path in _given_up:
            return
        record = RECORD.pack(_sum(pixels.reshape(-1), size), *size)
        try:
            _write(_opened(self._pixels), pixels.tobytes(), pixels.size * number)
            _write(_opened(self._index), record, RECORD.size * number)
        except OSError as error:
            _given_up.add(self.path)
            print(f"{_left(self.path.parent, error)}: images are decoded each time", flush=True)

    @property
    def _pixels(self) -> Path:
        return self.path.with_name(f"{self.path.name}.pixels")

    @property
    def _index(self) -> Path:
        return self.path.with_name(f"{self.path.name}.index")

    def prepare(self, images: int) -> None:
        """Make the files if they are missing; OSError if the disk has no room for all of them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        sizes = {self._pixels: 3 * self.side**2 * images, self._index: RECORD.size * images}
        there = 0
        for path, size in sizes.items():
            if os.fstat(file := _opened(path)).st_size != size:
                os.ftruncate(file, size)
            there += 512 * os.fstat(file).st_blocks
        lacking = sum(sizes.values()) - there
        if (free := shutil.disk_usage(self.path.parent).free) < lacking:
            text = f"{engineering(lacking)}B more are needed and {engineering(free)}B free"
            raise OSError(errno.ENOSPC, text)


def stored_images(folder: Path, listed: Listed, side: int) -> StoredImages | None:
    """The images of a listing in `folder`; None, with a sentence printed, if it cannot keep them.

    $NAME in `folder` is that of the environment: a job's own folder is known there alone.
    """
    folder = Path(os.path.expandvars(folder)).expanduser()
    whole = f"data.stored_side={side} takes {engineering(stored_bytes(listed.images, side))}B"
    advice = "loader.images_dir names another disk, and images are decoded each time"
    if "$" in str(folder):
        print(f"{whole}: {folder} has a variable that is not set here; {advice}", flush=True)
        return None
    store = StoredImages(folder / f"{listed.name}-{side}px-{VERSION}", side)
    try:
        store.prepare(listed.images)
    except OSError as error:
        print(f"{whole}: {_left(folder, error)}; {advice}", flush=True)
        return None
    return store


def _left(folder: Path, error: OSError) -> str:
    return f"{folder} keeps no images ({error.strerror})"


@cache
def _opened(path: Path) -> int:
    """One file for all processes that come from this one: places are read and written as such."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _write(file: int, content: bytes, at: int) -> None:
    while content:
        done = os.pwrite(file, content, at)
        content, at = content[done:], at + done


def _sum(pixels: NDArray[np.uint8], size: Size) -> int:
    """Of words of eight bytes, and both sides, modulo 2^64; never that of a record of zeros."""
    whole = len(pixels) // 8 * 8
    words = int(pixels[:whole].view(np.uint64).sum(dtype=np.uint64))
    rest = int.from_bytes(pixels[whole:].tobytes(), "little")
    return (words + rest + (size[0] << 32) + size[1]) % 2**64
