"""Flips and translations of a batch, drawn for all of its images at once."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from scaling_study.data.base import DataConfig
from scaling_study.data.images.changes import Affine, Change
from scaling_study.training.seeds import generator


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
def moves_of(n: int, data: DataConfig, key: str, step: int) -> Moves:
    """Those of a step's global batch, of which a process may make several parts."""
    return Moves.draw(n, data, generator(key, "augment", step))
