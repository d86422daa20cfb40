"""What a data set is to the trainer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Facts:
    """Sizes of a data set; `eval_split` names the images that val_error is measured on.

    `channels` is 1 for grey images, 3 for colour.
    """

    n_classes: int
    n_train: int
    n_val: int
    eval_split: str
    channels: int = 1


@dataclass(frozen=True)
class Images:
    """`pixels` (n, side, side), grey, 0 to 255; `labels` (n,), class numbers."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """Training images, and the images that are evaluated once, at the end."""

    train: Images
    val: Images
    facts: Facts
