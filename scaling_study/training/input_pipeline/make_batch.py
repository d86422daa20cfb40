"""One batch from its spec: images are copied or decoded, and augmented. Runs in any process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from scaling_study.data.base import DataConfig
from scaling_study.data.images.crops import SAMPLERS, Box
from scaling_study.data.images.decode import Choose, CorruptImageError, crop
from scaling_study.data.images.policies import augmented, changes_images
from scaling_study.data.splits import Encoded, Images, Split
from scaling_study.training.seeds import generator, seed_of

# This many corrupt images in a row end a run; one damaged row group of Parquet has fewer.
MAX_CORRUPT_RUN = 10_000


class BatchSpec(NamedTuple):
    """Images at these positions, for the places from `low` on in the global batch of `step`."""

    step: int
    low: int
    chosen: NDArray[np.int64]


# Place and reason of each image that cannot be decoded.
Corrupt = list[tuple[str, str]]
# Images (n, channels, side, side), labels (n,), and the corrupt images among them.
LoadedBatch = tuple[Tensor, Tensor, Corrupt]
Array = NDArray[np.uint8]
Rngs = list[np.random.Generator]


@dataclass(frozen=True)
class TrainingBatch:
    """Makes augmented batches; the seed of an image is (`key`, step, position in the batch).

    `key` is `RunConfig.random_key`.
    """

    part: Split
    data: DataConfig
    batch_size: int
    key: str

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        data, seed = self.data, seed_of(self.key, "image", spec.step)
        places = range(spec.low, spec.low + len(spec.chosen))
        # Images that are processed one by one have a generator each.
        one_by_one = changes_images(data)
        single = data.crop != "none" or one_by_one or isinstance(self.part, Encoded)
        rngs = [np.random.default_rng([seed, place]) for place in places] if single else []
        corrupt: Corrupt = []
        if isinstance(self.part, Images):
            images = self.part.take(spec.chosen)
            pixels, labels = images.pixels, images.labels
            if data.crop == "random_resized":
                pixels = np.stack([self._cropped(p, r) for p, r in zip(pixels, rngs, strict=True)])
        else:
            pixels, labels = self._decoded(self.part, spec.chosen.tolist(), rngs, corrupt)
        moves = _moves(self.batch_size, data, self.key, spec.step)
        pixels = moves.apply(torch.from_numpy(pixels), spec.low).numpy()
        if one_by_one:
            pixels = np.stack([self._augmented(p, r) for p, r in zip(pixels, rngs, strict=True)])
        return loaded(pixels, labels, corrupt)

    def _cropped(self, pixels: Array, rng: np.random.Generator) -> Array:
        image, side = Image.fromarray(pixels), self.data.resolution
        box = self._chooser(rng)(image.width, image.height)
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))

    def _augmented(self, pixels: Array, rng: np.random.Generator) -> Array:
        return np.asarray(augmented(Image.fromarray(pixels), self.data, rng))

    def _chooser(self, rng: np.random.Generator) -> Callable[[int, int], Box]:
        """Random crops of images of a width and height, by the data set's sampler."""
        sampler, least = SAMPLERS[self.data.crop_sampler], self.data.crop_min_area
        return lambda width, height: sampler(width, height, least, rng)

    def _decoded(
        self, part: Encoded, positions: list[int], rngs: Rngs, corrupt: Corrupt
    ) -> tuple[Array, NDArray[np.int64]]:
        """Cropped images; the next one in the data set replaces a corrupt one."""
        pixels, found, data = [], [], self.data
        for position, rng in zip(positions, rngs, strict=True):
            choose = self._chooser(rng) if data.crop == "random_resized" else None
            for ahead in range(MAX_CORRUPT_RUN):
                at = (position + ahead) % len(part.labels)
                image = decoded(part, at, data.resolution, choose, corrupt)
                if image is not None:
                    pixels.append(image)
                    found.append(at)
                    break
            else:
                raise ValueError(f"{MAX_CORRUPT_RUN} corrupt images in a row: {corrupt[-1]}")
        return np.stack(pixels), part.labels[found]


@dataclass(frozen=True)
class EvaluationBatch:
    """Makes clean batches: whole images from arrays, the centre of encoded ones."""

    part: Split
    data: DataConfig

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        part, side = self.part, self.data.resolution
        if isinstance(part, Images):
            images = part.take(spec.chosen)
            return loaded(images.pixels, images.labels, [])
        corrupt: Corrupt = []
        pixels = [decoded(part, at, side, None, corrupt) for at in spec.chosen.tolist()]
        whole = np.array([image is not None for image in pixels], bool)
        kept = [np.empty((0, side, side, 3), np.uint8), *(p[None] for p in pixels if p is not None)]
        return loaded(np.concatenate(kept), part.labels[spec.chosen[whole]], corrupt)


def decoded(part: Encoded, at: int, side: int, choose: Choose, corrupt: Corrupt) -> Array | None:
    """Image `at` of `part`, cropped as `decode.crop` does; None if `corrupt` now says why not."""
    number = int(part.numbers[at])
    try:
        return crop(part.source.read(number), side, choose)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except CorruptImageError as error:
        reason = str(error)
    corrupt.append((part.source.place(number), reason))
    return None


@dataclass(frozen=True)
class Moves:
    """Flips and translations of a global batch: source rows and columns (n, side) after padding."""

    reach: int
    rows: Tensor
    columns: Tensor

    @classmethod
    def draw(cls, n: int, data: DataConfig, rng: torch.Generator) -> "Moves":
        """Random horizontal flips, and translations by whole pixels."""
        side = data.resolution
        reach = round(data.shift * side)
        across = torch.arange(side).expand(n, side)
        if data.flip:
            flipped = torch.rand(n, 1, generator=rng) < 0.5
            across = torch.where(flipped, side - 1 - across, across)
        moves = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=rng)
        return cls(reach, torch.arange(side) + moves[0], across + moves[1])

    def apply(self, pixels: Tensor, low: int) -> Tensor:
        """Moved images (n, side, side[, 3]), those from `low` on; what comes in is black."""
        n = len(pixels)
        rows, columns = self.rows[low : low + n], self.columns[low : low + n]
        border = (self.reach,) * 4
        padded = pad(pixels, border if pixels.ndim == 3 else (0, 0, *border))
        return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


@lru_cache(maxsize=2)
def _moves(n: int, data: DataConfig, key: str, step: int) -> Moves:
    """Those of a step's global batch, of which a process may make several parts."""
    return Moves.draw(n, data, generator(key, "augment", step))


def loaded(pixels: Array, labels: NDArray[np.int64], corrupt: Corrupt) -> LoadedBatch:
    """Grey images (n, side, side) and RGB ones (n, side, side, 3) with channels first, as views."""
    images = torch.from_numpy(pixels)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images, torch.from_numpy(labels), corrupt
