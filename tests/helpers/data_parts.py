"""What is in a part of a data set, as a new process would find it."""

from typing import Any

from scaling_study import data as data_sets
from scaling_study.data.base import DataConfig
from scaling_study.data.splits import Encoded


def facts(data: DataConfig) -> Any:
    """As a new process would find them."""
    data_sets.data_info.cache_clear()
    return data_sets.data_info(data)


def encoded_part(part: object) -> Encoded:
    assert isinstance(part, Encoded)
    return part


def contents(part: object) -> list[tuple[bytes, int]]:
    images = encoded_part(part)
    numbers = zip(images.numbers.tolist(), images.labels.tolist(), strict=True)
    return sorted((images.source.read(number), label) for number, label in numbers)
