"""Data sets. `data_info` is cheap and needs no pixels; `load` renders, reads or opens them."""

from functools import cache
from pathlib import Path

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.extensions import declared
from scaling_study.data import sets
from scaling_study.data.base import MINIVAL, POOL, DataConfig, DataSet
from scaling_study.data.sets import (
    cifar,
    digits,
    fashion_mnist,
    fractals,
    icons,
    imagefolder,
    imagenet,
    parquet,
    webdataset,
)
from scaling_study.data.splits import DataInfo, Split, Splits

DATA_SETS: dict[str, DataSet] = {
    "fractals": fractals.DATA_SET,
    "digits": digits.DATA_SET,
    "fashion_mnist": fashion_mnist.DATA_SET,
    "icons": icons.DATA_SET,
    **cifar.DATA_SETS,
    "imagefolder": imagefolder.DATA_SET,
    "imagenet": imagenet.DATA_SET,
    "webdataset": webdataset.DATA_SET,
    "parquet": parquet.DATA_SET,
}

EXAMPLE = "my_data.my_set"
_listings: list[Path] = []


def data_set(name: object) -> DataSet:
    """The data set called `name`, or by a dotted path the DATA_SET of any module.

    InputError if there is none.
    """
    if isinstance(name, str) and "." in name:
        return declared("data.name", name, DataSet, sets, EXAMPLE)
    if not isinstance(name, str) or name not in DATA_SETS:
        raise InputError(
            f"data.name={name!r}: unknown data set; known: {', '.join(DATA_SETS)}, or the import "
            f"path of a module of yours, as in {EXAMPLE}"
        )
    return DATA_SETS[name]


def keep_listings_in(cache_dir: Path) -> None:
    """Keep listings of folders there from now on; else every process lists anew."""
    _listings[:] = [cache_dir]


@cache
def data_info(data: DataConfig) -> DataInfo:
    """Numbers of classes and images; InputError if they are not there as the layout says."""
    sizes = data_set(data.name).sizes(data, _listings[0] if _listings else None)
    n_train = sizes.images["train"]
    if data.split == MINIVAL:
        n_val = _n_held_out(n_train, data.minival)
        n_train -= n_val
    else:
        n_val = sizes.images[data.split]
    n_pool = sizes.images.get(POOL, 0)
    return DataInfo(sizes.n_classes, n_train, n_val, data.split, sizes.channels, n_pool)


def prepare(data: DataConfig, cache_dir: Path) -> None:
    """Download or check `data` before runs on it start; InputError if its images cannot be had."""
    data_set(data.name).prepare(data, cache_dir)


def load(data: DataConfig, cache_dir: Path) -> Splits:
    """Images of `data` at its resolution, or encoded; raises as `data_info` does."""
    read = data_set(data.name).load
    train = read(data, "train", cache_dir)
    if data.split != MINIVAL:
        return Splits(train, read(data, data.split, cache_dir), data_info(data))
    # Drawn from the number of images alone: the same for every run.
    n = len(train.labels)
    order = np.random.default_rng([n, 1]).permutation(n)
    held, kept = np.split(order, [_n_held_out(n, data.minival)])
    return Splits(train.take(np.sort(kept)), train.take(np.sort(held)), data_info(data))


def load_pool(data: DataConfig, cache_dir: Path) -> Split:
    """The images of `data` that have no labels, at its resolution, or encoded."""
    return data_set(data.name).load(data, POOL, cache_dir)


def _n_held_out(n: int, share: float) -> int:
    n_held = round(n * share)
    if not 0 < n_held < n:
        raise InputError(
            f"data.minival={share:g}: {n_held} of {n} training images; "
            "at least one must be held out and one left to train on"
        )
    return n_held
