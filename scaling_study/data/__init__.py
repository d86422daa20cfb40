"""Data sets as arrays. `facts` is cheap and needs no pixels; `load` renders or reads them."""

from pathlib import Path

from scaling_study.data import digits, fractals, imagenet
from scaling_study.data.arrays import Facts, Splits
from scaling_study.data.base import DataConfig
from scaling_study.data.digits import DigitsConfig
from scaling_study.data.fractals import FractalsConfig
from scaling_study.data.imagenet import ImageNetConfig
from scaling_study.errors import InputError

DATA_SETS: dict[str, type[DataConfig]] = {
    "fractals": FractalsConfig,
    "digits": DigitsConfig,
    "imagenet": ImageNetConfig,
}


def config_class(name: object) -> type[DataConfig]:
    """The config class of the data set called `name`.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in DATA_SETS:
        raise InputError(f"data.name={name!r}: unknown data set; known: {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def facts(data: DataConfig) -> Facts:
    """Sizes of `data`: numbers of classes and images, and what is evaluated on."""
    if isinstance(data, FractalsConfig):
        return fractals.facts(data)
    if isinstance(data, ImageNetConfig):
        return imagenet.facts(data)
    assert isinstance(data, DigitsConfig)
    return digits.facts()


def check_there(data: DataConfig) -> None:
    """Before anything is launched: are there images?

    Raises:
        InputError: the data set is a declaration of sizes alone.
    """
    if isinstance(data, ImageNetConfig):
        imagenet.refuse(data)


def load(data: DataConfig, cache_dir: Path) -> Splits:
    """Training and evaluation images of `data` at its resolution."""
    if isinstance(data, FractalsConfig):
        return fractals.load(data, cache_dir)
    assert isinstance(data, DigitsConfig)
    return digits.load(data)
