"""One batch from its spec: images are copied or decoded, and augmented. Runs in any process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from scaling_study.data.base import DataConfig
from scaling_study.data.images.changes import Affine, Change
from scaling_study.data.images.crops import CENTRE, SAMPLERS, Box, resized
from scaling_study.data.images.decode import Choose, CorruptImageError, crop
from scaling_study.data.images.erasing import Levels
from scaling_study.data.images.policies import augmented, changes_images, drawn
from scaling_study.data.splits import Encoded, Images, Rendered, Split
from scaling_study.training.batched_images.pending import Pending
from scaling_study.training.seeds import generator, seed_of

# This many corrupt images in a row end a run; one damaged row group of Parquet has fewer.
MAX_CORRUPT_RUN = 10_000


class BatchSpec(NamedTuple):
    """Images at these positions, for the places from `low` on in the global batch of `step`.

    `side` of training images, px; 0 is the data set's resolution. `epoch` counts from 0.
    """

    step: int
    low: int
    chosen: NDArray[np.int64]
    side: int = 0
    epoch: int = 0


# Mean and standard deviation where nobody says them: of noise from black to white.
GREY_LEVELS: tuple[Levels, Levels] = ((127.5,), (73.6,))
# Place and reason of each image that cannot be decoded.
Corrupt = list[tuple[str, str]]
Array = NDArray[np.uint8]
Rngs = list[np.random.Generator]


class LoadedBatch(NamedTuple):
    """Images (n, channels, side, side), labels (n,), the corrupt images that were met, and what the
    device is to do to the images."""

    pixels: Tensor
    labels: Tensor
    corrupt: Corrupt
    pending: Pending | None = None


@dataclass(frozen=True)
class TrainingBatch:
    """Makes augmented batches; the seed of an image is (`key`, step, position in the batch).

    `key` is `RunConfig.random_key`, `levels` mean and standard deviation of each channel.
    `on_device` leaves to the device what it can do: all that is drawn is drawn here, in one order.
    """

    part: Split
    data: DataConfig
    batch_size: int
    key: str
    levels: tuple[Levels, Levels] = GREY_LEVELS
    on_device: bool = False

    @property
    def in_memory(self) -> bool:
        """Whether a batch takes neither decoding nor rendering."""
        return isinstance(self.part, Images) and not isinstance(self.part, Rendered)

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        data, seed = self.data, seed_of(self.key, "image", spec.step)
        if spec.side not in (0, data.resolution):
            data = replace(data, resolution=spec.side)
        side = data.resolution
        places = range(spec.low, spec.low + len(spec.chosen))
        # Images that are processed one by one have a generator each.
        one_by_one = changes_images(data)
        single = data.crop != "none" or one_by_one or isinstance(self.part, Encoded)
        rngs = [np.random.default_rng([seed, place]) for place in places] if single else []
        corrupt: Corrupt = []
        boxes: list[Box] = []
        if isinstance(self.part, Images):
            images = self.part.of_epoch(spec.epoch, spec.chosen)
            pixels, labels = images.pixels, images.labels
            if data.crop == "random_resized":
                boxes = [self._chooser(rng)(*pixels.shape[2:0:-1]) for rng in rngs]
            elif pixels.shape[1] != side:
                boxes = [(0, 0, pixels.shape[2], pixels.shape[1])] * len(pixels)
            if boxes and not self.on_device:
                pixels = resized(pixels, side, Image.Resampling.BICUBIC, boxes)
        else:
            pixels, labels = self._decoded(self.part, spec.chosen.tolist(), side, rngs, corrupt)
        moves = _moves(self.batch_size, data, self.key, spec.step)
        size, levels = (side, side), self.levels
        changes = [drawn(size, data, levels, rng) for rng in rngs] if one_by_one else []
        if self.on_device:
            moved = [moves.of(place, side) for place in places]
            both = zip(moved, changes or [[]] * len(moved), strict=True)
            pending = Pending(side, boxes, [[*first, *rest] for first, rest in both])
            return loaded(pixels, labels, corrupt, pending)
        pixels = moves.apply(torch.from_numpy(pixels), spec.low).numpy()
        if one_by_one:
            pixels = np.stack([augmented(p, c) for p, c in zip(pixels, changes, strict=True)])
        return loaded(pixels, labels, corrupt)

    def _chooser(self, rng: np.random.Generator) -> Callable[[int, int], Box]:
        """Random crops of images of a width and height, by the data set's sampler."""
        sampler, least = SAMPLERS[self.data.crop_sampler], self.data.crop_min_area
        return lambda width, height: sampler(width, height, least, rng)

    def _decoded(
        self, part: Encoded, positions: list[int], side: int, rngs: Rngs, corrupt: Corrupt
    ) -> tuple[Array, NDArray[np.int64]]:
        """Cropped images; the next one in the data set replaces a corrupt one."""
        pixels, found, data = [], [], self.data
        for position, rng in zip(positions, rngs, strict=True):
            choose = self._chooser(rng) if data.crop == "random_resized" else None
            most = min(MAX_CORRUPT_RUN, len(part.labels))
            for ahead in range(most):
                at = (position + ahead) % len(part.labels)
                image = decoded(part, at, side, choose, corrupt)
                if image is not None:
                    pixels.append(image)
                    found.append(at)
                    break
            else:
                raise ValueError(f"{most} corrupt images in a row: {corrupt[-1]}")
        return np.stack(pixels), part.labels[found]


@dataclass(frozen=True)
class EvaluationBatch:
    """Makes clean batches: whole images from arrays, the centre of encoded ones."""

    part: Split
    data: DataConfig

    @property
    def in_memory(self) -> bool:
        """Whether a batch takes no decoding."""
        return isinstance(self.part, Images)

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        part, side = self.part, self.data.resolution
        if isinstance(part, Images):
            images = part.take(spec.chosen)
            return loaded(images.pixels, images.labels, [])
        corrupt: Corrupt = []
        share = self.data.test_crop
        pixels = [decoded(part, at, side, None, corrupt, share) for at in spec.chosen.tolist()]
        whole = np.array([image is not None for image in pixels], bool)
        kept = [np.empty((0, side, side, 3), np.uint8), *(p[None] for p in pixels if p is not None)]
        return loaded(np.concatenate(kept), part.labels[spec.chosen[whole]], corrupt)


def decoded(
    part: Encoded, at: int, side: int, choose: Choose, corrupt: Corrupt, share: float = CENTRE
) -> Array | None:
    """Image `at` of `part`, cropped as `decode.crop` does; None if `corrupt` now says why not."""
    number = int(part.numbers[at])
    try:
        return crop(part.source.read(number), side, choose, share)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except CorruptImageError as error:
        reason = str(error)
    corrupt.append((part.source.place(number), reason))
    return None


def require_an_image(part: Split, side: int) -> None:
    """ValueError unless one of the images of `part` can be decoded, before a run trains for it."""
    if isinstance(part, Images):
        return
    corrupt: Corrupt = []
    most = min(MAX_CORRUPT_RUN, len(part.labels))
    if all(decoded(part, at, side, None, corrupt) is None for at in range(most)):
        raise ValueError(f"{most} evaluation images are corrupt, none can be decoded: {corrupt[0]}")


@dataclass(frozen=True)
class Moves:
    """Flips and translations of a global batch of n images.

    `flipped` (n,) says which are mirrored, `offsets` (2, n) where each begins, down and to the
    right, in an image that has a border of `reach` pixels.
    """

    reach: int
    flipped: Tensor
    offsets: Tensor

    @classmethod
    def draw(cls, n: int, data: DataConfig, rng: torch.Generator) -> "Moves":
        """Random horizontal flips, and translations by whole pixels."""
        reach = round(data.shift * data.resolution)
        flipped = torch.zeros(n, dtype=torch.bool)
        if data.flip:
            flipped = torch.rand(n, 1, generator=rng)[:, 0] < 0.5
        offsets = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=rng)[:, :, 0]
        return cls(reach, flipped, offsets)

    def apply(self, pixels: Tensor, low: int) -> Tensor:
        """Moved images (n, side, side[, 3]), those from `low` on; what comes in is black."""
        n, side = pixels.shape[:2]
        flipped, (down, across) = self.flipped[low : low + n], self.offsets[:, low : low + n, None]
        if not self.reach:  # indices of every pixel would cost most of the time
            moved = pixels.clone()
            # One by one: torch takes ten times as long to choose several by their numbers.
            for i in flipped.nonzero()[:, 0].tolist():
                moved[i] = pixels[i].flip(1)
            return moved
        columns = torch.arange(side).expand(n, side)
        columns = across + torch.where(flipped[:, None], side - 1 - columns, columns)
        rows = down + torch.arange(side)
        border = (self.reach,) * 4
        padded = pad(pixels, border if pixels.ndim == 3 else (0, 0, *border))
        return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]

    def of(self, place: int, side: int) -> list[Change]:
        """The same of one image, as a change."""
        flipped, (down, across) = bool(self.flipped[place]), self.offsets[:, place].tolist()
        right, below = across - self.reach, down - self.reach
        if not (flipped or right or below):
            return []
        step, first = (-1, side + right) if flipped else (1, right)
        return [Affine((step, 0, first, 0, 1, below), (0, 0, 0))]


@lru_cache(maxsize=2)
def _moves(n: int, data: DataConfig, key: str, step: int) -> Moves:
    """Those of a step's global batch, of which a process may make several parts."""
    return Moves.draw(n, data, generator(key, "augment", step))


def loaded(
    pixels: Array, labels: NDArray[np.int64], corrupt: Corrupt, pending: Pending | None = None
) -> LoadedBatch:
    """Grey images (n, side, side) and RGB ones (n, side, side, 3) with channels first, as views."""
    images = torch.from_numpy(pixels)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return LoadedBatch(images, torch.from_numpy(labels), corrupt, pending)
