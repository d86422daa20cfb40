"""Training and evaluation batches: order and augmentation depend on the run and the step alone.

Every random number of a run comes from a generator seeded by SHA-256 of (key, purpose, number). The
key is the run's id, or with common random numbers its seed: step k draws the same after a crash,
and with any number of processes and workers.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling_study.common.device import cores_of_run, cpu_cores
from scaling_study.config.execution import AUTO_WORKERS, ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.data import load
from scaling_study.data.base import MAX_TRAIN_IMAGES, as_evaluated
from scaling_study.data.splits import Encoded, Images, Rendered, Split, Splits, joined
from scaling_study.data.storage.stored_images import StoredImages, stored_images
from scaling_study.training.input_pipeline.corrupt_images import CorruptImages
from scaling_study.training.input_pipeline.decoding import require_an_image
from scaling_study.training.input_pipeline.loader import stream
from scaling_study.training.input_pipeline.make_batch import (
    BatchSpec,
    EvaluationBatch,
    LoadedBatch,
    TrainingBatch,
)
from scaling_study.training.seeds import generator

# Images of one evaluation batch.
EVALUATION_BATCH = 250
# ImageNet's mean and standard deviation of red, green and blue, for every set of encoded images.
PHOTO_MEAN = (123.675, 116.28, 103.53)
PHOTO_STD = (58.395, 57.12, 57.375)

# Pixels whose levels are counted at a time.
CHUNK = 2**18

# uint8 images (n, channels, side, side) and int64 labels (n,).
Batch = tuple[Tensor, Tensor]


class TrainingData:
    """A run's images. `mean` and `std`, (channels, 1, 1) on the run's device, normalise them.

    An incomplete last batch of an epoch is left out, and so are corrupt images in evaluation; in
    training the next one replaces them. At most `workers` processes decode or render, one per core;
    AUTO_WORKERS: one per core that is this run's. `on_device` leaves augmentation to the device,
    `store` keeps the images of `data.stored_side`.
    """

    def __init__(
        self,
        run: RunConfig,
        splits: Splits,
        corrupt: CorruptImages,
        workers: int,
        evaluated: Splits | None = None,
        pool: Split | None = None,
        on_device: bool = False,
        store: StoredImages | None = None,
    ) -> None:
        self.info, self._evaluated = splits.info, evaluated or splits
        self.steps_per_epoch = run.train.steps_per_epoch(len(splits.train.labels))
        self._run, self._splits, self._corrupt = run, splits, corrupt
        self._pool, self._on_device, self._store = pool, on_device, store
        self._trained = splits.train if pool is None else joined(splits.train, pool)
        auto = workers == AUTO_WORKERS
        self._workers = cores_of_run() if auto else min(workers, cpu_cores())
        self._orders = dict[str, tuple[int, NDArray[np.int64]]]()
        self._made, self._core_s = 0, 0.0
        self._levels = normalisation(splits.train)
        levels = (torch.tensor(v, device=run.device) for v in self._levels)
        self.mean, self.std = (level[:, None, None] for level in levels)

    @classmethod
    def of(
        cls, run: RunConfig, execution: ExecutionConfig, run_dir: Path, pool: Split | None = None
    ) -> "TrainingData":
        """The run's images, and those of a `pool` with the labels that its teacher gave them.

        Those that turn out to be corrupt are listed in `run_dir`.
        """
        splits = load(run.data, Path(execution.cache_dir))
        corrupt = CorruptImages(run_dir, fail=getattr(run.data, "corrupt", "skip") == "fail")
        data = as_evaluated(run.data)
        # Images in memory have one resolution; encoded ones are decoded at any.
        again = data is not run.data and isinstance(splits.val, Images)
        evaluated = load(data, Path(execution.cache_dir)) if again else None
        require_an_image(splits.val, data.resolution)
        on_device, store = execution.augment_on == "device", None
        side = getattr(run.data, "stored_side", 0)
        if side and pool is None and isinstance(splits.train, Encoded) and splits.train.listed:
            folder = Path(execution.images_dir or execution.cache_dir)
            store = stored_images(folder, splits.train.listed, side)
        workers = execution.loader_workers
        return cls(run, splits, corrupt, workers, evaluated, pool, on_device, store)

    @property
    def workers(self) -> int | None:
        """Processes that make training batches, 0: this one; None for what is not decoded."""
        return self._workers if isinstance(self._trained, Encoded | Rendered) else None

    @property
    def core_images_per_s(self) -> float | None:
        """Training images that a core makes in a second, so far; None where nothing took time."""
        return self._made / self._core_s if self._core_s > 0 else None

    @property
    def corrupt_images(self) -> int:
        """Images met so far, by any attempt at this run, that could not be decoded."""
        return len(self._corrupt)

    def batches(self, first: int, last: int, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """Augmented images of the steps from `first` until before `last`: this rank's share of each
        global batch. The shares of all ranks are the same global batch for every world size.
        """
        for batch in self.loaded(first, last, rank, world_size):
            pixels = batch.pixels
            yield (batch.pending.done(pixels) if batch.pending else pixels), batch.labels

    def loaded(
        self, first: int, last: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[LoadedBatch]:
        """The same, with what is left to the device still to be done."""
        size = self._run.train.batch_size
        low, high = rank * size // world_size, (rank + 1) * size // world_size
        epoch = self.steps_per_epoch
        specs = (
            BatchSpec(step, low, self._chosen(step)[low:high], self._side(step), step // epoch)
            for step in range(first, last)
        )
        run, levels = self._run, self._levels
        how = (self._on_device, self._store)
        make = TrainingBatch(self._trained, run.data, size, run.random_key, levels, *how)
        for batch in self._stream(make, specs, rank):
            self._made += len(batch.labels)
            self._core_s += batch.core_s
            yield batch

    def evaluated(self, split: str, most: int | None = None) -> int:
        """How many images of `val` or `train` an evaluation of at most `most` takes."""
        images = len(self._part(split).labels)
        limits = ([MAX_TRAIN_IMAGES] if split == "train" else []) + [most] * (most is not None)
        return min(images, *limits) if limits else images  # type: ignore[type-var,return-value]

    def labels(self, split: str) -> NDArray[np.int64]:
        """The labels of all images of `val` or `train`, in the order of evaluation."""
        return self._part(split).labels

    def _part(self, split: str) -> Split:
        return self._evaluated.val if split == "val" else self._evaluated.train

    def evaluation(
        self, split: str, rank: int = 0, world_size: int = 1, most: int | None = None
    ) -> Iterator[Batch]:
        """This rank's clean batches of `val` or `train`, an even selection if these are many."""
        part = self._part(split)
        images, count = len(part.labels), self.evaluated(split, most)
        chosen = np.arange(images)
        if count < images:
            chosen = np.linspace(0, images - 1, count).astype(np.int64)
        return self.clean(part, chosen, rank, world_size)

    def clean(
        self, part: Split, chosen: NDArray[np.int64], rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """This rank's clean batches of the images at the positions `chosen` of any `part`."""
        starts = range(0, len(chosen), EVALUATION_BATCH)[rank::world_size]
        specs = (BatchSpec(0, 0, chosen[low : low + EVALUATION_BATCH]) for low in starts)
        make = EvaluationBatch(part, as_evaluated(self._run.data))
        return ((batch.pixels, batch.labels) for batch in self._stream(make, specs, rank))

    def _stream(
        self, make: TrainingBatch | EvaluationBatch, specs: Iterator[BatchSpec], rank: int
    ) -> Iterator[LoadedBatch]:
        workers = None if make.in_memory else self._workers
        for batch in stream(make, specs, workers, self._run.device == "cuda"):
            self._corrupt.record(batch.corrupt, rank)
            yield batch

    def _chosen(self, step: int) -> NDArray[np.int64]:
        """Positions in the training images, and behind them the pool, of the batch of `step`."""
        own = self._of_epoch(step)
        if self._pool is None:
            return own
        size, added = self._run.train.batch_size, self._run.train.pseudo_batch
        # Evenly among the others: each process and each forward pass has its share of both.
        turns = np.arange(size + 1) * added // size
        pool = turns[1:] > turns[:-1]
        chosen = np.empty(size, np.int64)
        chosen[~pool] = own
        chosen[pool] = len(self._splits.train.labels) + self._of_pool(step * added, added)
        return chosen

    def _of_pool(self, first: int, count: int) -> NDArray[np.int64]:
        """Positions in the pool of so many of its images, which are seen in one pass after another.

        `first` counts those before, of all passes.
        """
        assert self._pool is not None
        passes, places = np.divmod(np.arange(first, first + count), len(self._pool.labels))
        orders = {at: self._in_order("pool order", at, self._pool) for at in set(passes.tolist())}
        return np.array([orders[at][i] for at, i in zip(passes.tolist(), places, strict=True)])

    def _in_order(self, purpose: str, number: int, part: Split) -> NDArray[np.int64]:
        """The positions of a part in the order of its pass of this number."""
        if self._orders.get(purpose, (-1,))[0] != number:
            rng = generator(self._run.random_key, purpose, number)
            self._orders[purpose] = number, epoch_order(part, rng)
        return self._orders[purpose][1]

    def _of_epoch(self, step: int) -> NDArray[np.int64]:
        """Positions in the labelled images of those of `step`."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = self._in_order("order", epoch, self._splits.train)
        size, repeats = self._run.train.labelled_batch, self._run.train.repeats
        places = np.arange(position * size, (position + 1) * size)
        # Copies of an image lie far from each other, so that none is mixed with another.
        apart = np.concatenate([places[start::repeats] for start in range(repeats)])
        chosen: NDArray[np.int64] = order[apart // repeats]
        return chosen

    def _side(self, step: int) -> int:
        """Side of the images of `step`, px."""
        return self._run.train.side(step // self.steps_per_epoch, self._run.data.resolution)


def epoch_order(part: Split, rng: torch.Generator) -> NDArray[np.int64]:
    """All positions in random order; groups that are read together stay within one window."""
    n = len(part.labels)
    order = torch.randperm(n, generator=rng).numpy()
    if isinstance(part, Images) or part.groups is None:
        return order
    turn = torch.randperm(int(part.groups.max()) + 1, generator=rng).numpy()
    window = turn[part.groups] // part.mixed_groups
    return order[np.argsort(window[order], kind="stable")]


def normalisation(part: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in grey levels."""
    if not isinstance(part, Images):
        return PHOTO_MEAN, PHOTO_STD
    channels = part.pixels.reshape(-1, 1 if part.pixels.ndim == 3 else 3)
    levels, n = np.arange(256), len(channels)
    means, stds = [], []
    for channel in channels.T:
        counts = np.zeros(256, np.int64)
        for start in range(0, n, CHUNK):  # floats of all pixels would take much memory
            counts += np.bincount(channel[start : start + CHUNK], minlength=256)
        means.append(int(counts @ levels) / n)
        variance = counts @ (levels - means[-1]) ** 2 / n
        stds.append(max(float(np.sqrt(variance)), 1.0))
    return tuple(means), tuple(stds)


def to_input(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Images (n, channels, side, side), 0 to 255, as normalised float images (n, 3, side, side)."""
    return (pixels - mean).div_(std).expand(-1, 3, -1, -1)
