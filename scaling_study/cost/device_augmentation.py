"""Memory that `loader.augment_on=device` takes beside a training step, from what its code makes.

A stream of its own prepares the next batch while a step computes, so that both peaks add up. What
is alive at the stages of `training/batched_images` is counted here, as a function of the batch, the
sides of the images and how many of them one kind of change meets at a time.
`tests/cost/test_device_augmentation.py` compares it with the bytes of all live tensors.
"""

import math
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np

from scaling_study.config.run import RunConfig
from scaling_study.cost.normalisation import normalising
from scaling_study.data import data_info
from scaling_study.data.base import DataConfig, encoded
from scaling_study.data.images.changes import (
    Affine,
    AutoContrast,
    Change,
    Contrast,
    Equalize,
    Filled,
    Pasted,
    Saturation,
    Sharpness,
    Table,
)
from scaling_study.data.images.policies import changes_images, drawn

DOUBLE = 8
# As `resampling.AT_ONCE`: images whose matrices exist at a time.
AT_ONCE = 64
# Matrices of weights alive at a time while one is made.
WEIGHTS = 5.25
# Images that are drawn to learn how many a kind of change meets; the side changes nothing.
DRAWS, DRAWN_SIDE = 2000, 32
# That many SD above their mean number: no step of a long training has more.
SDS = 5
# A flip or a translation comes before all changes of the policy.
MOVE = Affine((-1, 0, 1, 0, 1, 0), (0, 0, 0))


class Temporaries(NamedTuple):
    """Bytes that one kind of change makes: of each pixel, of each value of a pixel, and of each
    channel of an image."""

    pixel: int
    value: int
    channel: int = 0


ALONG_AXES, NEAREST, BICUBIC = "along axes", "nearest", "bicubic"
KINDS = {
    Table: Temporaries(0, 10),
    AutoContrast: Temporaries(0, 10, 3000),
    Equalize: Temporaries(0, 18, 7000),
    Contrast: Temporaries(4, 12),
    Saturation: Temporaries(8, 12),
    Sharpness: Temporaries(0, 28),
    Filled: Temporaries(1, 1),
    Pasted: Temporaries(0, 1),
    ALONG_AXES: Temporaries(10, 3, 100),
    NEAREST: Temporaries(42, 1),
    BICUBIC: Temporaries(90, 98),
}
Kind = type | str


def augmentation_bytes(run: RunConfig, images: int) -> int:
    """Most bytes alive while `images` of a batch are augmented on the device, they included."""
    sides = run.train.epochs_by_side(run.data.resolution)
    return max(_at_side(run.data, images, side, len(sides) > 1) for side in sides)


def _at_side(data: DataConfig, images: int, side: int, several: bool) -> int:
    """The same of training images of this side (px), of `several` in the run."""
    channels = data_info(data).channels
    stored = getattr(data, "stored_side", 0)
    # The device cuts crops out of stored images, and of those in memory that have another side.
    cut = stored > 0 or (not encoded(data) and (several or data.crop == "random_resized"))
    whole = stored or (data.resolution if cut else side)
    raw, made = images * channels * whole**2, images * channels * side**2
    stages = [normalising(images, channels, side, copied=True)]
    if cut:
        stages.append(_cropping(min(AT_ONCE, images), channels, whole, side) + made)
    # The cropped images, those being changed, and those that the group before has changed.
    stages.append((2 + cut) * made + _changing(data, images, channels, side))
    return raw + max(stages)


def _cropping(images: int, channels: int, side: int, to: int) -> int:
    """Products of matrices in double precision, which crop so many images at a time."""
    lines, weights = channels * side**2, side * to
    half, whole = channels * side * to, channels * to**2
    stages = (
        lines + WEIGHTS * weights,
        lines + weights + 2 * half,
        2 * half + (1 + WEIGHTS) * weights,
        2 * half + 2 * weights + 2 * whole,
    )
    return math.ceil(DOUBLE * images * max(stages))


def _changing(data: DataConfig, images: int, channels: int, side: int) -> int:
    """The group of images, all changed alike, that takes most."""
    values = channels * side**2
    most = 0
    for kind, share in _shares(data, channels).items():
        need = KINDS[kind]
        chosen = _most(images, share)
        # Affine changes are sorted once more.
        copies = 2 * values if isinstance(kind, str) else values
        own = need.pixel * side**2 + need.value * values + need.channel * channels
        most = max(most, chosen * (copies + own))
    return most


def _most(images: int, share: float) -> int:
    """As many of `images` as one group has in any step, where each is in it with this chance."""
    sd = math.sqrt(images * share * (1 - share)) + images * math.sqrt(share / DRAWS)
    return min(images, math.ceil(images * share + SDS * sd))


@cache
def _shares(data: DataConfig, channels: int) -> dict[Kind, float]:
    """The largest share of a batch that each kind meets in one turn, counted in many draws."""
    rng = np.random.default_rng(0)
    levels = (127.5,) * channels, (73.6,) * channels
    turns = Counter[tuple[int, Kind]]()
    moving = 1.0 if round(data.shift * data.resolution) else 0.5 * data.flip
    for _ in range(DRAWS):
        changes: list[Change] = [MOVE] if rng.random() < moving else []
        if changes_images(data):
            changes += drawn((DRAWN_SIDE, DRAWN_SIDE), data, levels, rng)
        turns.update((turn, _kind(change)) for turn, change in enumerate(changes))
    found: dict[Kind, float] = {}
    for (_, kind), count in turns.items():
        found[kind] = max(found.get(kind, 0.0), count / DRAWS)
    return found


def _kind(change: Change) -> Kind:
    if not isinstance(change, Affine):
        return type(change)
    if change.bicubic:
        return BICUBIC
    return ALONG_AXES if change.rows[1] == change.rows[3] == 0 else NEAREST
