"""scikit-learn's 1,797 scans of handwritten digits (UCI, 8 x 8 px, 17 grey levels)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scaling_study.data.arrays import Facts, Images, Splits
from scaling_study.data.base import DataConfig
from scaling_study.values import require

N_TRAIN, N_VAL = 1200, 597
GREY_LEVELS = 16


@dataclass(frozen=True, kw_only=True)
class DigitsConfig(DataConfig):
    """scikit-learn's scans of digits; `seed` draws which of them are evaluated on."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.seed >= 0, "data.seed", self.seed, "must be 0 or more")


def facts() -> Facts:
    return Facts(n_classes=10, n_train=N_TRAIN, n_val=N_VAL, eval_split="test")


def load(data: DigitsConfig) -> Splits:
    """The scans, resized bilinearly to `data.resolution`, split at random by `data.seed`."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    pixels = (scans.images * (255 / GREY_LEVELS)).round().astype(np.uint8)
    resized = np.stack([_resized(scan, data.resolution) for scan in pixels])
    order = np.random.default_rng([data.seed, len(resized)]).permutation(len(resized))
    labels = scans.target.astype(np.int64)
    train, val = order[:N_TRAIN], order[N_TRAIN:]
    return Splits(Images(resized[train], labels[train]), Images(resized[val], labels[val]), facts())


def _resized(scan: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(scan).resize((side, side), Image.Resampling.BILINEAR))
