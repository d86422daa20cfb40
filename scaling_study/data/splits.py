"""Images as the trainer gets them: arrays in memory, or files to decode."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DataInfo:
    """Sizes; val_error is measured on `eval_split`. `channels`: 1 for grey images, 3 for colour."""

    n_classes: int
    n_train: int
    n_val: int
    eval_split: str
    channels: int = 3


@dataclass(frozen=True)
class Images:
    """`pixels` (n, side, side) grey or (n, side, side, 3) RGB, 0 to 255; `labels` (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64]) -> "Images":
        """The images with these numbers."""
        return Images(self.pixels[chosen], self.labels[chosen])


class Source(Protocol):
    """Where encoded images are read from, by number, in any order and by any process."""

    def read(self, number: int) -> bytes:
        """One encoded image; OSError if it cannot be read."""
        ...

    def place(self, number: int) -> str:
        """File, and place in it, for messages."""
        ...


@dataclass(frozen=True)
class Encoded:
    """JPEG or PNG images that are decoded when they are needed, with their `labels` (n,).

    `numbers` (n,) are those of the source. Where reading one image means reading its neighbours,
    `groups` (n,) says which lie together; an epoch then mixes `mixed_groups` groups at a time.
    """

    source: Source
    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    mixed_groups: int = 1

    def take(self, chosen: NDArray[np.int64]) -> "Encoded":
        """The images with these positions."""
        groups = None if self.groups is None else self.groups[chosen]
        labels, numbers = self.labels[chosen], self.numbers[chosen]
        return Encoded(self.source, labels, numbers, groups, self.mixed_groups)


Split = Images | Encoded


@dataclass(frozen=True)
class Splits:
    """Training images, and the images that are evaluated once, at the end."""

    train: Split
    val: Split
    info: DataInfo
