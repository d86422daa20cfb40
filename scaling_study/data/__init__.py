"""Data sets as arrays. `facts` is cheap and needs no pixels; `load` renders or reads them."""

from pathlib import Path

from scaling_study.config import DataConfig, DigitsConfig, FractalsConfig
from scaling_study.data import digits, fractals
from scaling_study.data.arrays import Facts, Splits


def facts(data: DataConfig) -> Facts:
    """Sizes of `data`: numbers of classes and images, and what is evaluated on."""
    if isinstance(data, FractalsConfig):
        return fractals.facts(data)
    assert isinstance(data, DigitsConfig)
    return digits.facts()


def load(data: DataConfig, cache_dir: Path) -> Splits:
    """Training and evaluation images of `data` at its resolution."""
    if isinstance(data, FractalsConfig):
        return fractals.load(data, cache_dir)
    assert isinstance(data, DigitsConfig)
    return digits.load(data)
