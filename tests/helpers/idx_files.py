"""Small files in Fashion-MNIST's format, and where the real ones may lie."""

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaling_study.data.sets import fashion_mnist

IMAGES = {"train": 40, "test": 12}
# `.ci/run` unpacks Debian's package there, without installing it.
FETCHED = Path(__file__).parents[2] / ".cache/debian/usr/share/datasets/fashion-mnist"
REAL = next((p for p in (fashion_mnist.DEBIAN, FETCHED) if p.is_dir()), None)


def arrays(part: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images (n, 28, 28) and labels (n,) of a small set; each image is its number and noise."""
    rng, n = np.random.default_rng(len(part)), IMAGES[part]
    return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 10


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """An array of bytes as an IDX file: 0, 0, type 8 (bytes), dimensions, big-endian sizes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def small_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Contents by name; the data set then takes them for the official ones."""
    monkeypatch.setattr(fashion_mnist, "N_IMAGES", IMAGES)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", Path("/nowhere"))
    contents, known = dict[str, bytes](), dict[str, Any]()
    for part, files in fashion_mnist.FILES.items():
        made = [idx(array) for array in arrays(part)]
        contents |= {name: made for (name, _), made in zip(files, made, strict=True)}
        sums = [hashlib.sha256(content).hexdigest() for content in made]
        known[part] = tuple((name, s) for (name, _), s in zip(files, sums, strict=True))
    monkeypatch.setattr(fashion_mnist, "FILES", known)
    return contents


def write(contents: dict[str, bytes], root: Path, packed: bool) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (root / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (root / name).write_bytes(content)
