# my_data/stripes.py
"""Two classes of stripes, made by a program."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling_study.data.base import DataConfig, DataSet, Sizes
from scaling_study.data.splits import Images


@dataclass(frozen=True, kw_only=True)
class StripesConfig(DataConfig):
    """Horizontal or vertical stripes, `per_class` training and as many test images of each."""

    per_class: int


def sizes(data: StripesConfig, cache_dir: Path | None) -> Sizes:
    return Sizes(2, {"train": 2 * data.per_class, "test": 2 * data.per_class})


def load(data: StripesConfig, part: str, cache_dir: Path) -> Images:
    rng = np.random.default_rng(part == "test")
    labels = np.arange(2 * data.per_class) % 2
    side = data.resolution
    stripes = np.where(np.arange(side) // 2 % 2, 200, 50) + rng.integers(0, 50, (len(labels), side))
    across = np.repeat(stripes[:, None, :], side, axis=1)
    pixels = np.where(labels[:, None, None] == 0, across, across.transpose(0, 2, 1))
    return Images(pixels.astype(np.uint8), labels)


DATA_SET = DataSet(StripesConfig, sizes, load)
