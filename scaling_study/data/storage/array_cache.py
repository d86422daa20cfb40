"""Arrays that are made once and then read from a cache file."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.files import NO_LOCKS, locked, remove_leftovers, replacing
from scaling_study.data.splits import Images

# Arrays of one part of a data set, by name.
Columns = Mapping[str, NDArray[Any]]


@contextmanager
def one_at_a_time(path: Path, patience_s: float = math.inf) -> Iterator[bool]:
    """Runs start together: one makes the file at `path`, the others wait for it.

    False if another one still makes it after `patience_s`. Where the file system has no locks each
    makes its own, and the last one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        ours = True
        try:
            lock = locked(path.with_name(f"{path.name}.lock"), patience_s)
            if ours := stack.enter_context(lock):
                remove_leftovers(path.parent, path.name + ".*")
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield ours


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
        except Exception:  # damaged bytes can raise anything
            parts = make()
        with replacing(path) as new:
            np.savez(new, **{f"{p}_{n}": a for p, c in parts.items() for n, a in c.items()})  # type: ignore[arg-type]
        return parts[part]
