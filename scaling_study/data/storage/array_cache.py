"""Images that fit in memory, made once and then read from a cache file."""

import fcntl
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from scaling_study.data.splits import Images


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Runs start together: one makes the file at `path`, the others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(path: Path, part: str, make: Callable[[], Mapping[str, Images]]) -> Images:
    """The images of `part` (train, test …) from the file at `path`; `make` gives all parts."""
    with one_at_a_time(path):
        if (stored := _read(path, part)) is None:
            parts = make()
            save_arrays(path, _flat(parts))
            return parts[part]
    return stored


def _flat(parts: Mapping[str, Images]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, images in parts.items():
        arrays |= {f"{name}_pixels": images.pixels, f"{name}_labels": images.labels}
    return arrays


def _read(path: Path, part: str) -> Images | None:
    arrays = read_arrays(path, (f"{part}_pixels", f"{part}_labels"))
    return None if arrays is None else Images(*arrays)


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]] | None:
    """Arrays of an .npz file, None if it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
