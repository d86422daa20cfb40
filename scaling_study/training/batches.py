"""Batches from arrays in memory: order and augmentation depend on the step alone.

Every random number of a run comes from a generator seeded by SHA-256 of (run id, purpose, number).
Nothing has to be stored to resume: step k draws the same after a crash as without one.
"""

import hashlib

import torch
from torch import Tensor

from scaling_study.data.arrays import Images
from scaling_study.data.base import DataConfig


def seed_of(run_id: str, purpose: str, number: int = 0) -> int:
    """A 63-bit seed that no other run, purpose or number shares."""
    digest = hashlib.sha256(f"{run_id}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(run_id: str, purpose: str, number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(run_id, purpose, number))


class Batches:
    """Training batches of `images`, shuffled every epoch; an incomplete last batch is left out."""

    def __init__(self, images: Images, data: DataConfig, batch_size: int, run_id: str) -> None:
        self._pixels = torch.from_numpy(images.pixels)
        self._labels = torch.from_numpy(images.labels)
        self._data, self._batch_size, self._run_id = data, batch_size, run_id
        self.steps_per_epoch = len(images.labels) // batch_size
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self.mean, self.std = normalisation(images)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Normalised, augmented images (batch, 3, side, side) and labels (batch,) of `step`."""
        chosen = self._chosen(step)
        rng = generator(self._run_id, "augment", step)
        pixels = augment(self._pixels[chosen], self._data, rng)
        return to_input(pixels, self.mean, self.std), self._labels[chosen]

    def _chosen(self, step: int) -> Tensor:
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            rng = generator(self._run_id, "order", epoch)
            self._order = epoch, torch.randperm(len(self._labels), generator=rng)
        return self._order[1][position * self._batch_size : (position + 1) * self._batch_size]


def normalisation(images: Images) -> tuple[float, float]:
    """Mean and standard deviation of all grey levels."""
    return float(images.pixels.mean()), max(float(images.pixels.std()), 1.0)


def to_input(pixels: Tensor, mean: float, std: float) -> Tensor:
    """Grey levels (n, side, side) as normalised float images (n, 3, side, side)."""
    return ((pixels.float() - mean) / std)[:, None].expand(-1, 3, -1, -1)


def augment(pixels: Tensor, data: DataConfig, rng: torch.Generator) -> Tensor:
    """Random horizontal flips, and translations by whole pixels that fill with black."""
    n, side, _ = pixels.shape
    reach = round(data.shift * side)
    across = torch.arange(side).expand(n, side)
    if data.flip:
        flipped = torch.rand(n, 1, generator=rng) < 0.5
        across = torch.where(flipped, side - 1 - across, across)
    moves = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=rng)
    padded = torch.nn.functional.pad(pixels, (reach, reach, reach, reach))
    rows = torch.arange(side) + moves[0]
    columns = across + moves[1]
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
