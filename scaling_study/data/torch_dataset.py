"""A torch map-style Dataset as a data set: `map_style` makes one of it.

Its labels are listed once, in a process that has torch, and kept in the cache folder; plans read
how many there are. Items are read by number, in our order, and are the same each time: the
generators that an item may draw from are seeded by its number. Augmentation is ours.
"""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.errors import InputError
from scaling_study.common.own_process import calling
from scaling_study.common.source import sources_of
from scaling_study.common.validation import from_values
from scaling_study.data.base import MINIVAL, DataConfig, DataSet, Sizes
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.array_cache import Columns
from scaling_study.data.storage.index import Listing

# A map-style Dataset of (image, label): `part` is train or the evaluation split.
Open = Callable[[Any, str], Any]


@dataclass(frozen=True)
class ItemSource:
    """Images by number from the Dataset of a part, which each process opens for itself."""

    open_part: Open
    data: DataConfig
    part: str

    def read(self, number: int) -> bytes:
        image, _ = item(self.open_part, self.data, self.part, number)
        return as_file(image, self.place(number))

    def place(self, number: int) -> str:
        return f"{self.data.name}: item {number} of {self.part}"


def map_style(config: type[DataConfig], open_part: Open) -> DataSet:
    """A DATA_SET from `open_part(config, part)`, the Dataset of `train` or of an evaluation split.

    `open_part` is a function of a module, and imports torch when it is called. An item is an image
    and the number of its class; an image is Pillow's, an array or tensor of 0 to 255 as (side,
    side), (side, side, 3) or (3, side, side), or one of floats from 0 to 1. InputError for others.
    """
    return DataSet(config, partial(_sizes, open_part), partial(_load, open_part))


def _sizes(open_part: Open, data: DataConfig, cache_dir: Path | None) -> Sizes:
    return _listing(data).sizes(cache_dir)


def _load(open_part: Open, data: DataConfig, part: str, cache_dir: Path) -> Encoded:
    labels = _listing(data).read(part, cache_dir)["labels"]
    return Encoded(ItemSource(open_part, data, part), labels, np.arange(len(labels)))


def _listing(data: DataConfig) -> Listing:
    parts = ("train",) if data.split == MINIVAL else ("train", data.split)
    found = [asdict(data), sources_of(data.name)]
    return Listing(data.name, found, parts, (), partial(_labels, data))


def _labels(data: DataConfig, part: str) -> Columns:
    """The labels of a part, as another process finds them; InputError with its reason."""
    asked = json.dumps({"data": asdict(data), "part": part})
    command = calling(__name__, "main")
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise InputError(f"data.name={data.name}: {part} cannot be listed: {''.join(reason)}")
    return {"labels": np.array(json.loads(done.stdout.splitlines()[-1]), np.int64)}


def main() -> None:
    """Print the labels of the part that standard input names."""
    from scaling_study.data import data_set

    asked = json.load(sys.stdin)
    found = data_set(asked["data"]["name"])
    data = from_values(found.config, asked["data"], "data.")
    print(json.dumps(labels_of(found.load.args[0], data, asked["part"])))  # type: ignore[attr-defined]


def labels_of(open_part: Open, data: DataConfig, part: str) -> list[int]:
    """All labels: the Dataset's `targets` where it has them, else each item's."""
    dataset = _opened(open_part, data, part)
    if (targets := getattr(dataset, "targets", None)) is not None:
        return [int(label) for label in targets]
    return [int(item(open_part, data, part, number)[1]) for number in range(len(dataset))]


@cache
def _opened(open_part: Open, data: DataConfig, part: str) -> Any:
    return open_part(data, part)


def item(open_part: Open, data: DataConfig, part: str, number: int) -> tuple[Any, Any]:
    """One item, the same each time: whatever it draws is seeded by its number."""
    import torch

    digest = hashlib.sha256(f"{data.name} {part} {number}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            image, label = _opened(open_part, data, part)[number]
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
    return image, label


def as_file(image: Any, place: str) -> bytes:
    """An image as the bytes of an uncompressed file, which are decoded as others are."""
    pixels = _pixels(image, place)
    height, width = pixels.shape[:2]
    kind = b"P5" if pixels.ndim == 2 else b"P6"
    return b"%s %d %d 255\n" % (kind, width, height) + pixels.tobytes()


def _pixels(image: Any, place: str) -> NDArray[np.uint8]:
    """(height, width) or (height, width, 3), 0 to 255."""
    if hasattr(image, "convert"):  # Pillow's
        image = image if image.mode == "L" else image.convert("RGB")
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if np.issubdtype(array.dtype, np.floating) and array.min() >= 0 and array.max() <= 1:
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise InputError(
            f"{place} is {array.dtype} of shape {array.shape}, from {array.min()} to {array.max()};"
            " must be an image of 0 to 255 as (side, side), (side, side, 3) or (3, side, side), or "
            "of floats from 0 to 1: leave normalisation and augmentation to the study"
        )
    return np.ascontiguousarray(array)
