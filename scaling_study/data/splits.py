"""Images as the trainer gets them: arrays in memory, or files to decode."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DataInfo:
    """Sizes; val_error is measured on `eval_split`. `channels`: 1 for grey images, 3 for colour.

    `n_pool` images have no labels of their own.
    """

    n_classes: int
    n_train: int
    n_val: int
    eval_split: str
    channels: int = 3
    n_pool: int = 0


@dataclass(frozen=True)
class Images:
    """`pixels` (n, side, side) grey or (n, side, side, 3) RGB, 0 to 255; `labels` (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64]) -> "Images":
        """The images with these numbers."""
        return Images(self.pixels[chosen], self.labels[chosen])

    def of_epoch(self, epoch: int, chosen: NDArray[np.int64]) -> "Images":
        """The images with these numbers as that epoch has them: the same ones in each."""
        return self.take(chosen)

    def labelled(self, labels: NDArray[np.int64]) -> "Images":
        """The same images with these labels (n,)."""
        return Images(self.pixels, labels)


class Renderer(Protocol):
    """What makes images by number and epoch, in any order and in any process."""

    def render(self, epoch: int, numbers: NDArray[np.int64]) -> Images:
        """The images with these numbers, as `epoch` has them."""
        ...


@dataclass(frozen=True)
class Rendered(Images):
    """Training images that every epoch has anew; `pixels` and `labels` are those of the first, 0.

    `numbers` (n,) are those of the `renderer`. What is evaluated is of the first epoch.
    """

    renderer: Renderer
    numbers: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64]) -> "Rendered":
        """The images with these positions, of every epoch."""
        numbers = self.numbers[chosen]
        return Rendered(self.pixels[chosen], self.labels[chosen], self.renderer, numbers)

    def of_epoch(self, epoch: int, chosen: NDArray[np.int64]) -> Images:
        """The images with these positions, rendered for that epoch."""
        if epoch == 0:
            return self.take(chosen)
        return self.renderer.render(epoch, self.numbers[chosen])


class Source(Protocol):
    """Where encoded images are read from, by number, in any order and by any process."""

    def read(self, number: int) -> bytes:
        """One encoded image; OSError if it cannot be read."""
        ...

    def place(self, number: int) -> str:
        """File, and place in it, for messages."""
        ...


@dataclass(frozen=True)
class Listed:
    """Which images a source has: a name that is another where files have changed, and how many."""

    name: str
    images: int


@dataclass(frozen=True)
class Encoded:
    """JPEG or PNG images that are decoded when they are needed, with their `labels` (n,).

    `numbers` (n,) are those of the source. Where reading one image means reading its neighbours,
    `groups` (n,) says which lie together; an epoch then mixes `mixed_groups` groups at a time.
    Only those of a source that is `listed` can be stored decoded.
    """

    source: Source
    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    mixed_groups: int = 1
    listed: Listed | None = None

    def take(self, chosen: NDArray[np.int64]) -> "Encoded":
        """The images with these positions."""
        groups = None if self.groups is None else self.groups[chosen]
        labels, numbers = self.labels[chosen], self.numbers[chosen]
        return replace(self, labels=labels, numbers=numbers, groups=groups)

    def labelled(self, labels: NDArray[np.int64]) -> "Encoded":
        """The same images with these labels (n,)."""
        return replace(self, labels=labels)


Split = Images | Encoded


@dataclass(frozen=True)
class _Both:
    """Images of two sources: those from the number `first` on are of the second."""

    sources: tuple[Source, Source]
    first: int

    def _find(self, number: int) -> tuple[Source, int]:
        one, other = self.sources
        return (other, number - self.first) if number >= self.first else (one, number)

    def read(self, number: int) -> bytes:
        source, at = self._find(number)
        return source.read(at)

    def place(self, number: int) -> str:
        source, at = self._find(number)
        return source.place(at)


def joined(one: Split, other: Split) -> Split:
    """The images of one split and behind them those of another of the same data set.

    Which of them are read together is not known any more: their order is drawn before.
    """
    labels = np.concatenate([one.labels, other.labels])
    if isinstance(one, Images):
        assert isinstance(other, Images)
        return Images(np.concatenate([one.pixels, other.pixels]), labels)
    assert isinstance(other, Encoded)
    first = int(one.numbers.max()) + 1
    numbers = np.concatenate([one.numbers, other.numbers + first])
    return Encoded(_Both((one.source, other.source), first), labels, numbers)


@dataclass(frozen=True)
class Splits:
    """Training images, and the images that are evaluated once, at the end."""

    train: Split
    val: Split
    info: DataInfo
