"""Data sets. `data_info` is cheap and needs no pixels; `load` renders, reads or opens them."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.errors import InputError
from scaling_study.data.base import MINIVAL, DataConfig, DataSet
from scaling_study.data.sets import (
    cifar,
    digits,
    fractals,
    imagefolder,
    imagenet,
    parquet,
    webdataset,
)
from scaling_study.data.splits import DataInfo, Splits

DATA_SETS: dict[str, DataSet] = {
    "fractals": fractals.DATA_SET,
    "digits": digits.DATA_SET,
    "cifar10": cifar.DATA_SETS["cifar10"],
    "cifar100": cifar.DATA_SETS["cifar100"],
    "imagefolder": imagefolder.DATA_SET,
    "imagenet": imagenet.DATA_SET,
    "webdataset": webdataset.DATA_SET,
    "parquet": parquet.DATA_SET,
}

_listings: list[Path] = []


def data_set(name: object) -> DataSet:
    """The data set called `name`.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in DATA_SETS:
        raise InputError(f"data.name={name!r}: unknown data set; known: {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def config_class(name: object) -> type[DataConfig]:
    """The config class of the data set called `name`.

    Raises:
        InputError: there is none.
    """
    return data_set(name).config


def keep_listings_in(cache_dir: Path) -> None:
    """Keep listings of folders there from now on; without this every process lists anew."""
    _listings[:] = [cache_dir]


@cache
def data_info(data: DataConfig) -> DataInfo:
    """Sizes of `data`: numbers of classes and images, and what is evaluated on.

    Raises:
        InputError: the images are not there, or not as the data set's layout says.
    """
    sizes = data_set(data.name).sizes(data, _listings[0] if _listings else None)
    n_train = sizes.images["train"]
    if data.split != MINIVAL:
        return DataInfo(
            sizes.n_classes, n_train, sizes.images[data.split], data.split, sizes.channels
        )
    n_held = _n_held_out(n_train, data.minival)
    return DataInfo(sizes.n_classes, n_train - n_held, n_held, MINIVAL, sizes.channels)


def prepare(data: DataConfig, cache_dir: Path) -> None:
    """Download or check `data` once, before runs on it start.

    Raises:
        InputError: the images are not there and cannot be downloaded.
    """
    data_set(data.name).prepare(data, cache_dir)


def load(data: DataConfig, cache_dir: Path) -> Splits:
    """Training and evaluation images of `data` at its resolution, or encoded.

    Raises:
        InputError: the images are not there, or not as the data set's layout says.
    """
    read = data_set(data.name).load
    train = read(data, "train", cache_dir)
    if data.split != MINIVAL:
        return Splits(train, read(data, data.split, cache_dir), data_info(data))
    held, kept = _held_out(len(train.labels), data.minival)
    return Splits(train.take(kept), train.take(held), data_info(data))


def _n_held_out(n: int, share: float) -> int:
    n_held = round(n * share)
    if not 0 < n_held < n:
        raise InputError(
            f"data.minival={share:g}: {n_held} of {n} training images; "
            "at least one must be held out and one left to train on"
        )
    return n_held


def _held_out(n: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the images held out and kept, drawn from `n` alone: the same for every run."""
    drawn = np.random.default_rng([n, 1]).permutation(n)
    n_held = _n_held_out(n, share)
    return np.sort(drawn[:n_held]), np.sort(drawn[n_held:])
