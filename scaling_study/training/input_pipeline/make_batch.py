"""One batch from its spec: images are copied or decoded, and augmented. Runs in any process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from scaling_study.data.base import DataConfig
from scaling_study.data.images.crops import Box, random_box
from scaling_study.data.images.decode import CorruptImageError, crop
from scaling_study.data.images.randaugment import randaugment
from scaling_study.data.splits import Encoded, Images, Split
from scaling_study.training.seeds import generator, seed_of

# This many corrupt images in a row end a run; one damaged row group of Parquet has fewer.
MAX_CORRUPT_RUN = 10_000


class BatchSpec(NamedTuple):
    """Images at these positions, for the places from `low` on in the global batch of `step`."""

    step: int
    low: int
    chosen: NDArray[np.int64]


# Images (n, channels, side, side), labels (n,), and place and reason of each corrupt image.
LoadedBatch = tuple[Tensor, Tensor, list[tuple[str, str]]]
Array = NDArray[np.uint8]


@dataclass(frozen=True)
class TrainingBatch:
    """Makes augmented batches; the seed of an image is (run, step, position in the batch)."""

    part: Split
    data: DataConfig
    batch_size: int
    run_id: str

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        seed = seed_of(self.run_id, "image", spec.step)
        places = range(spec.low, spec.low + len(spec.chosen))
        corrupt: list[tuple[str, str]]
        rngs = [np.random.default_rng([seed, place]) for place in places] if self._single else []
        if isinstance(self.part, Images):
            taken, corrupt = self.part.take(spec.chosen), []
            pixels, labels = taken.pixels, taken.labels
            if self.data.crop == "random_resized":
                pixels = np.stack([self._cropped(p, r) for p, r in zip(pixels, rngs, strict=True)])
        else:
            pixels, labels, corrupt = self._decoded(self.part, spec.chosen, rngs)
        moves = Moves.draw(self.batch_size, self.data, generator(self.run_id, "augment", spec.step))
        moved = moves.apply(torch.from_numpy(pixels), spec.low)
        if self.data.randaugment_layers:
            changed = zip(moved.numpy(), rngs, strict=True)
            moved = torch.from_numpy(np.stack([self._randaugment(p, r) for p, r in changed]))
        return channels_first(moved), torch.from_numpy(labels), corrupt

    @property
    def _single(self) -> bool:
        """Whether images are processed one by one, each with its own generator."""
        crops = self.data.crop != "none"
        return crops or self.data.randaugment_layers > 0 or not isinstance(self.part, Images)

    def _cropped(self, pixels: Array, rng: np.random.Generator) -> Array:
        image, side = Image.fromarray(pixels), self.data.resolution
        box = random_box(image.width, image.height, self.data.crop_min_area, rng)
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))

    def _randaugment(self, pixels: Array, rng: np.random.Generator) -> Array:
        layers, magnitude = self.data.randaugment_layers, self.data.randaugment_magnitude
        return np.asarray(randaugment(Image.fromarray(pixels), layers, magnitude, rng))

    def _decoded(
        self, part: Encoded, chosen: NDArray[np.int64], rngs: list[np.random.Generator]
    ) -> tuple[Array, NDArray[np.int64], list[tuple[str, str]]]:
        """Cropped images; the next one in the data set replaces a corrupt one."""
        pixels, positions, corrupt = [], [], []
        for position, rng in zip(chosen.tolist(), rngs, strict=True):
            for ahead in range(MAX_CORRUPT_RUN):
                at = (position + ahead) % len(part.labels)
                try:
                    pixels.append(self._decode(part, at, rng))
                except CorruptImageError as error:
                    corrupt.append((place_of(part, at), str(error)))
                else:
                    positions.append(at)
                    break
            else:
                raise ValueError(f"{MAX_CORRUPT_RUN} corrupt images in a row: {corrupt[-1]}")
        return np.stack(pixels), part.labels[positions], corrupt

    def _decode(self, part: Encoded, position: int, rng: np.random.Generator) -> Array:
        def choose(width: int, height: int) -> Box:
            return random_box(width, height, self.data.crop_min_area, rng)

        random = self.data.crop == "random_resized"
        return decoded(part, position, self.data.resolution, choose if random else None)


@dataclass(frozen=True)
class EvaluationBatch:
    """Makes clean batches: whole images from arrays, the centre of encoded ones."""

    part: Split
    data: DataConfig

    def __call__(self, spec: BatchSpec) -> LoadedBatch:
        if isinstance(self.part, Images):
            taken = self.part.take(spec.chosen)
            return (
                channels_first(torch.from_numpy(taken.pixels)),
                torch.from_numpy(taken.labels),
                [],
            )
        side = self.data.resolution
        pixels, positions, corrupt = [np.empty((0, side, side, 3), np.uint8)], [], []
        for position in spec.chosen.tolist():
            try:
                pixels.append(decoded(self.part, position, side, None)[None])
            except CorruptImageError as error:
                corrupt.append((place_of(self.part, position), str(error)))
            else:
                positions.append(position)
        labels = self.part.labels[np.array(positions, np.int64)]
        return (
            channels_first(torch.from_numpy(np.concatenate(pixels))),
            torch.from_numpy(labels),
            corrupt,
        )


def decoded(
    part: Encoded, position: int, side: int, choose: Callable[[int, int], Box] | None
) -> Array:
    """One image of `part`, cropped as `decode.crop` does.

    Raises:
        CorruptImageError: it cannot be read, or not be decoded.
    """
    try:
        encoded = part.source.read(int(part.numbers[position]))
    except OSError as error:
        raise CorruptImageError(f"cannot be read: {error.strerror or error}") from None
    return crop(encoded, side, choose)


def place_of(part: Encoded, position: int) -> str:
    """Where one image of `part` lies, for messages."""
    return part.source.place(int(part.numbers[position]))


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


def channels_first(pixels: Tensor) -> Tensor:
    """(n, side, side) as (n, 1, side, side), (n, side, side, 3) as (n, 3, side, side); a view."""
    return pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
