"""What lies where in a data set of files: labels, and places of the images, listed once.

A listing is kept in the cache folder under a key made from the files' names and times of change.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in
from scaling_study.data.base import Sizes
from scaling_study.data.splits import Listed
from scaling_study.data.storage.array_cache import Columns, cached

# Raised whenever what a listing holds changes, so that an old one is not taken for the new.
VERSION = 2


@dataclass(frozen=True)
class Listing:
    """A data set of files before anything is read: how to list its parts, and what names it.

    `found` says which files there are and when they changed: it changes when the listing must.
    `columns(part)` makes the arrays: `labels` (n,), and the same `names` for every part.
    """

    data: str
    found: Any
    parts: tuple[str, ...]
    names: tuple[str, ...]
    columns: Callable[[str], Columns]

    def listed(self, part: str, labels: NDArray[np.int64]) -> Listed:
        """The images of one part, of these labels."""
        return Listed(f"{self._name}-{part}", len(labels))

    @property
    def _name(self) -> str:
        text = json.dumps([VERSION, self.data, self.found, self.parts])
        return f"{self.data}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def sizes(self, cache_dir: Path | None) -> Sizes:
        """Numbers of classes and images, from the kept listing if there is one."""
        if cache_dir is None or not can_keep(cache_dir):
            return _sizes({part: self.columns(part)["labels"] for part in self.parts})
        path = cache_dir / f"{self._name}.json"
        try:
            known = json_in(path)
            images = {part: int(known["images"][part]) for part in self.parts}
            return Sizes(int(known["n_classes"]), images)
        except (OSError, ValueError, KeyError, TypeError):
            sizes = _sizes({part: self.read(part, cache_dir)["labels"] for part in self.parts})
        text = json.dumps({"n_classes": sizes.n_classes, "images": dict(sizes.images)})
        replace_file(path, text)
        return sizes

    def read(self, part: str, cache_dir: Path) -> Columns:
        """The arrays of one part."""

        def make() -> dict[str, Columns]:
            print(f"listing the images of data={self.data} once", flush=True)
            parts = {part: self.columns(part) for part in self.parts}
            _sizes({part: columns["labels"] for part, columns in parts.items()})
            return parts

        return cached(cache_dir / f"{self._name}.npz", part, ("labels", *self.names), make)


def can_keep(cache_dir: Path) -> bool:
    """Whether listings can be kept there."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(cache_dir, os.W_OK)


def _sizes(labels: Mapping[str, NDArray[Any]]) -> Sizes:
    """Sizes from the labels of all parts; InputError for labels that no run can use."""
    for part, numbers in labels.items():
        if not len(numbers):
            raise InputError(f"{part}: the files hold no images")
    for part, numbers in labels.items():
        if (least := numbers.min()) < 0:
            raise InputError(f"{part}: an image has the label {least}; classes count from 0")
        if len(unknown := np.setdiff1d(numbers, labels["train"])):
            raise InputError(f"{part}: class {unknown[0]} is not among the training images")
    n_classes = int(labels["train"].max()) + 1
    if n_classes < 2:
        raise InputError("train: all images have one label; at least two classes are needed")
    return Sizes(n_classes, {part: len(numbers) for part, numbers in labels.items()})


def packed(texts: list[str]) -> dict[str, NDArray[Any]]:
    """Strings as two arrays, `text` (UTF-8 bytes) and `ends` (n,), that cost no objects."""
    encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {"text": np.frombuffer(b"".join(encoded), np.uint8), "ends": ends}


def unpacked(columns: Columns, number: int) -> str:
    """One string of those that `packed` made."""
    ends = columns["ends"]
    start = int(ends[number - 1]) if number else 0
    return bytes(columns["text"][start : int(ends[number])]).decode("utf-8", "surrogateescape")
