"""The interface of a data set: a config class, its sizes, and its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from scaling_study.common.validation import require
from scaling_study.data.splits import Split

# The held-out share of the training images, to select on.
MINIVAL = "minival"
# Training error is measured on at most this many images.
MAX_TRAIN_IMAGES = 50_000
# Metadata of settings that say where the images lie: a moved data set keeps its results.
INFRASTRUCTURE: Mapping[str, bool] = {"infrastructure": True}


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Settings of every data set: side in px, images to evaluate on, augmentation.

    `shift`: largest random translation, as share of the side. `crop`: none or random_resized, of
    at least `crop_min_area` of the image. `randaugment_magnitude`: 0 to 10; the paper goes to 15.
    `split`: the set's own, or minival, a share `minival` of the training images held out.
    """

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("test",)

    name: str
    resolution: int
    split: str
    minival: float
    flip: bool
    shift: float
    crop: str
    crop_min_area: float
    randaugment_layers: int
    randaugment_magnitude: float

    def __post_init__(self) -> None:
        require(self.resolution >= 1, "data.resolution", self.resolution, "must be at least 1 px")
        splits = (*self.EVAL_SPLITS, MINIVAL)
        require(self.split in splits, "data.split", self.split, f"must be {' or '.join(splits)}")
        require(0 < self.minival < 1, "data.minival", self.minival, "must be in (0, 1)")
        require(0 <= self.shift < 0.5, "data.shift", self.shift, "must be in [0, 0.5)")
        crops = ("none", "random_resized")
        require(self.crop in crops, "data.crop", self.crop, f"must be {' or '.join(crops)}")
        area, layers = self.crop_min_area, self.randaugment_layers
        require(0 < area <= 1, "data.crop_min_area", area, "must be in (0, 1]")
        require(layers >= 0, "data.randaugment_layers", layers, "must be 0 (off) or more")
        strength = self.randaugment_magnitude
        require(0 <= strength <= 30, "data.randaugment_magnitude", strength, "must be in [0, 30]")


def encoded(data: DataConfig) -> bool:
    """Whether images are decoded while a run trains: such sets have corrupt ones."""
    return hasattr(data, "corrupt")


def identity(data: DataConfig) -> dict[str, Any]:
    """The settings of `data` that decide a run's numbers."""
    known = (field for field in fields(data) if not field.metadata.get("infrastructure"))
    return {field.name: getattr(data, field.name) for field in known}


@dataclass(frozen=True)
class Sizes:
    """Classes; images of `train` and, unless it is minival, of `split`; 1 (grey) or 3 channels."""

    n_classes: int
    images: Mapping[str, int]
    channels: int = 3


@dataclass(frozen=True)
class DataSet:
    """`sizes(config, cache_dir)` is called when planning, before any image is read or downloaded;
    without a `cache_dir` nothing is cached. `load(config, part, cache_dir)` gives the images of
    `train` or of an evaluation split. `prepare(config, cache_dir)` is called once before runs
    start: the place for a download. All of them raise InputError for what a user can correct.
    """

    config: type[DataConfig]
    sizes: Callable[[Any, Path | None], Sizes]
    load: Callable[[Any, str, Path], Split]
    prepare: Callable[[Any, Path], None] = lambda config, cache_dir: None
