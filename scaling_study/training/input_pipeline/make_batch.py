"""One batch from its spec: images are copied or decoded, and augmented. Runs in any process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from scaling_study.data.base import DataConfig
from scaling_study.data.images.crops import SAMPLERS, Box, centre_box, resized
from scaling_study.data.images.decode import part_at, whole_pixels
from scaling_study.data.images.erasing import Levels
from scaling_study.data.images.policies import augmented, changes_images, drawn
from scaling_study.data.splits import Encoded, Images, Rendered, Split
from scaling_study.data.storage.stored_images import StoredImages
from scaling_study.training.batched_images.pending import Pending
from scaling_study.training.input_pipeline.decoding import (
    MAX_CORRUPT_RUN,
    Array,
    Corrupt,
    decoded,
    stored,
)
from scaling_study.training.input_pipeline.moves import moves_of
from scaling_study.training.seeds import seed_of


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
Rngs = list[np.random.Generator]


class LoadedBatch(NamedTuple):
    """Images (n, channels, side, side), labels (n,), the corrupt images that were met, what the
    device is to do to the images, and how many seconds of a core it took to make them."""

    pixels: Tensor
    labels: Tensor
    corrupt: Corrupt
    pending: Pending | None = None
    core_s: float = 0.0


@dataclass(frozen=True)
class TrainingBatch:
    """Makes augmented batches; the seed of an image is (`key`, step, position in the batch).

    `key` is `RunConfig.random_key`, `levels` mean and standard deviation of each channel.
    `on_device` leaves to the device what it can do: all that is drawn is drawn here, in one order.
    `store` keeps the images of `data.stored_side`.
    """

    part: Split
    data: DataConfig
    batch_size: int
    key: str
    levels: tuple[Levels, Levels] = GREY_LEVELS
    on_device: bool = False
    store: StoredImages | None = None

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
        pixels, labels, boxes = self._images(spec, side, rngs, corrupt)
        moves = moves_of(self.batch_size, data, self.key, spec.step)
        size, levels = (side, side), self.levels
        changes = [drawn(size, data, levels, rng) for rng in rngs] if one_by_one else []
        if self.on_device:
            moved = [moves.of(place, side) for place in places]
            both = zip(moved, changes or [[]] * len(moved), strict=True)
            all_changes = [[*first, *rest] for first, rest in both]
            cut_out = isinstance(self.part, Encoded)
            return loaded(pixels, labels, corrupt, Pending(side, boxes, all_changes, cut_out))
        pixels = moves.apply(torch.from_numpy(pixels), spec.low).numpy()
        if one_by_one:
            pixels = np.stack([augmented(p, c) for p, c in zip(pixels, changes, strict=True)])
        return loaded(pixels, labels, corrupt)

    def _images(
        self, spec: BatchSpec, side: int, rngs: Rngs, corrupt: Corrupt
    ) -> tuple[Array, NDArray[np.int64], list[Box]]:
        """Images and labels, and boxes of images where these are left to the device."""
        if not isinstance(self.part, Images):
            return self._encoded(self.part, spec.chosen.tolist(), side, rngs, corrupt)
        images = self.part.of_epoch(spec.epoch, spec.chosen)
        pixels, boxes = images.pixels, list[Box]()
        height, width = pixels.shape[1:3]
        if self.data.crop == "random_resized":
            boxes = [self._chooser(rng)(width, height) for rng in rngs]
        elif height != side:
            boxes = [(0, 0, width, height)] * len(pixels)
        if boxes and not self.on_device:
            pixels, boxes = resized(pixels, side, Image.Resampling.BICUBIC, boxes), []
        return pixels, images.labels, boxes

    def _chooser(self, rng: np.random.Generator) -> Callable[[int, int], Box]:
        """Random crops of images of a width and height, by the data set's sampler."""
        sampler, least = SAMPLERS[self.data.crop_sampler], self.data.crop_min_area
        return lambda width, height: sampler(width, height, least, rng)

    def _encoded(
        self, part: Encoded, positions: list[int], side: int, rngs: Rngs, corrupt: Corrupt
    ) -> tuple[Array, NDArray[np.int64], list[Box]]:
        """The same of encoded images; the next one in the data set replaces a corrupt one."""
        pixels, boxes, found = [], [], []
        for position, rng in zip(positions, rngs, strict=True):
            most = min(MAX_CORRUPT_RUN, len(part.labels))
            for ahead in range(most):
                at = (position + ahead) % len(part.labels)
                if (shown := self._shown(part, at, side, rng, corrupt)) is not None:
                    pixels.append(shown[0])
                    boxes += shown[1]
                    found.append(at)
                    break
            else:
                raise ValueError(f"{most} corrupt images in a row: {corrupt[-1]}")
        return np.stack(pixels), part.labels[found], boxes

    def _shown(
        self, part: Encoded, at: int, side: int, rng: np.random.Generator, corrupt: Corrupt
    ) -> tuple[Array, list[Box]] | None:
        """One image, and its box if that is left to the device; None if it is corrupt."""
        choose = self._chooser(rng) if self.data.crop == "random_resized" else None
        if not (stored_side := getattr(self.data, "stored_side", 0)):
            image = decoded(part, at, side, choose, corrupt)
            return None if image is None else (image, [])
        if (found := stored(part, at, stored_side, self.store, corrupt)) is None:
            return None
        pixels, (width, height) = found
        left, top, right, bottom = (choose or centre_box)(width, height)
        x, y = stored_side / width, stored_side / height
        box = whole_pixels((left * x, top * y, right * x, bottom * y), (stored_side, stored_side))
        return (pixels, [box]) if self.on_device else (part_at(pixels, box, side), [])


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


def loaded(
    pixels: Array, labels: NDArray[np.int64], corrupt: Corrupt, pending: Pending | None = None
) -> LoadedBatch:
    """Grey images (n, side, side) and RGB ones (n, side, side, 3) with channels first, as views."""
    images = torch.from_numpy(pixels)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return LoadedBatch(images, torch.from_numpy(labels), corrupt, pending)
