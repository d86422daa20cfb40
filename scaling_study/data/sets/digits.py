"""scikit-learn's 1,797 scans of handwritten digits (UCI, 8 x 8 px, 17 grey levels)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling_study.common.extras import require_package
from scaling_study.common.validation import require
from scaling_study.data.base import DataConfig, DataSet, Sizes
from scaling_study.data.splits import Images

N_TRAIN, N_VAL = 1200, 597
GREY_LEVELS = 16


@dataclass(frozen=True, kw_only=True)
class DigitsConfig(DataConfig):
    """scikit-learn's scans of digits; `seed` draws which of them are evaluated on."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.seed >= 0, "data.seed", self.seed, "must be 0 or more")


def load(data: DigitsConfig, part: str, cache_dir: Path) -> Images:
    """The scans of `part`, resized bilinearly to `data.resolution`; `data.seed` splits them."""
    # Planning imports this module and reads no image.
    from PIL import Image
    from sklearn.datasets import load_digits

    from scaling_study.data.images.crops import resized

    scans = load_digits()
    pixels = (scans.images * (255 / GREY_LEVELS)).round().astype(np.uint8)
    pixels = resized(pixels, data.resolution, Image.Resampling.BILINEAR)
    order = np.random.default_rng([data.seed, len(pixels)]).permutation(len(pixels))
    chosen = order[:N_TRAIN] if part == "train" else order[N_TRAIN:]
    return Images(pixels, scans.target.astype(np.int64)).take(chosen)


def sizes(data: DigitsConfig, cache_dir: Path | None) -> Sizes:
    """Known without the scans; an InputError where the package that has them is not installed."""
    require_package("sklearn", "data", "data=digits")
    return Sizes(10, {"train": N_TRAIN, "test": N_VAL}, channels=1)


DATA_SET = DataSet(DigitsConfig, sizes, load)
