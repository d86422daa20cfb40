"""Arrays that are made once and then read from a cache file."""

import fcntl
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from scaling_study.data.splits import Images

# Arrays of one part of a data set, by name.
Columns = Mapping[str, NDArray[Any]]


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Runs start together: one makes the file at `path`, the others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached_images(path: Path, part: str, make: Callable[[], Mapping[str, Images]]) -> Images:
    """The images of `part` (train, test …) from the file at `path`; `make` gives all parts."""
    names = ("pixels", "labels")
    arrays = cached(path, part, names, lambda: {p: vars(images) for p, images in make().items()})
    return Images(**arrays)


def cached(
    path: Path, part: str, names: Sequence[str], make: Callable[[], Mapping[str, Columns]]
) -> Columns:
    """Arrays of `part` in the .npz at `path`, which `make` fills if it is missing or damaged."""
    with one_at_a_time(path):
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                return {name: arrays[f"{part}_{name}"] for name in names}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
            parts = make()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as new:
            np.savez(new, **{f"{p}_{n}": a for p, c in parts.items() for n, a in c.items()})  # type: ignore[arg-type]
            new.flush()
            os.fsync(new.fileno())
        os.replace(temporary, path)
        return parts[part]
