"""The interface of a data set: a config class, its sizes, and its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

# A moved data set keeps its results: settings that say where images lie are marked so.
from scaling_study.common.validation import INFRASTRUCTURE as INFRASTRUCTURE
from scaling_study.common.validation import later, require
from scaling_study.data.splits import Split

# The held-out share of the training images, to select on.
MINIVAL = "minival"
# The part of a data set that has no labels, where it has one.
POOL = "pool"
# Training error is measured on at most this many images.
MAX_TRAIN_IMAGES = 50_000
CHOICES: Mapping[str, tuple[str, ...]] = {
    "crop": ("none", "random_resized"),
    "crop_sampler": ("area", "diameter", "released"),
    "augment_policy": ("randaugment", "autoaugment", "trivialaugment"),
    "augment_ops": ("pil", "released", "timm_increasing"),
}


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Settings of every data set: side in px, images to evaluate on, augmentation.

    `shift`: largest random translation, as share of the side. `crop`: none or random_resized, of
    at least `crop_min_area` of the image, drawn by `crop_sampler`. `randaugment_magnitude`: 0 to
    10; the paper goes to 15. `augment_policy` and `augment_ops`: what changes the pixels, and by
    whose operations; `randaugment_sd` is that of the magnitude. `colour_jitter`: largest change of
    brightness, contrast and saturation. `erasing`: share of images with a box of noise.
    `test_resolution` (px; 0: the training's) and `test_crop`, a share of the shorter side, are the
    evaluation's. `split`: the set's own, or minival, a share `minival` of the training images held
    out. `fresh`: every epoch has new training images, of data sets that render them.
    """

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("test",)
    # Own settings that decide which classes there are.
    CLASS_SETTINGS: ClassVar[tuple[str, ...]] = ()
    # Whether its training images can be new ones in every epoch: `load` then gives `Rendered`.
    RENDERS: ClassVar[bool] = False
    # What brings about images without labels, for messages.
    POOL_ADVICE: ClassVar[str] = "this data set can have none"

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
    augment_policy: str = later("randaugment")
    augment_ops: str = later("pil")
    crop_sampler: str = later("area")
    randaugment_sd: float = later(0.0)
    colour_jitter: float = later(0.0)
    erasing: float = later(0.0)
    test_resolution: int = later(0)
    test_crop: float = later(0.875)
    fresh: bool = later(False)

    def __post_init__(self) -> None:
        fixed = f"data.name={self.name} cannot render new images for every epoch; fractals can"
        require(self.RENDERS or not self.fresh, "data.fresh", "true", fixed)
        require(self.resolution >= 1, "data.resolution", self.resolution, "must be at least 1 px")
        splits = (*self.EVAL_SPLITS, MINIVAL)
        require(self.split in splits, "data.split", self.split, f"must be {' or '.join(splits)}")
        require(0 < self.minival < 1, "data.minival", self.minival, "must be in (0, 1)")
        require(0 <= self.shift < 0.5, "data.shift", self.shift, "must be in [0, 0.5)")
        for key, known in CHOICES.items():
            value = getattr(self, key)
            require(value in known, f"data.{key}", value, f"must be {' or '.join(known)}")
        area, layers = self.crop_min_area, self.randaugment_layers
        require(0 < area <= 1, "data.crop_min_area", area, "must be in (0, 1]")
        require(layers >= 0, "data.randaugment_layers", layers, "must be 0 (off) or more")
        strength = self.randaugment_magnitude
        require(0 <= strength <= 30, "data.randaugment_magnitude", strength, "must be in [0, 30]")
        for key, good, accepted in (
            ("randaugment_sd", self.randaugment_sd >= 0, "must be 0 or more"),
            ("colour_jitter", self.colour_jitter >= 0, "must be 0 (off) or more"),
            ("erasing", 0 <= self.erasing <= 1, "must be in [0, 1]"),
            ("test_resolution", self.test_resolution >= 0, "must be 0 (as in training) or a side"),
            ("test_crop", 0 < self.test_crop <= 1, "must be in (0, 1]"),
        ):
            require(good, f"data.{key}", getattr(self, key), accepted)
        timm = self.augment_ops != "timm_increasing" or self.augment_policy == "randaugment"
        advice = "has them for RandAugment alone; give pil or released"
        require(timm, "data.augment_ops", self.augment_ops, advice)
        alone = self.augment_policy == "randaugment" or layers == 0
        other = f"data.augment_policy={self.augment_policy} takes its place; give 0 layers"
        require(alone, "data.randaugment_layers", layers, other)


def as_evaluated(data: DataConfig) -> DataConfig:
    """`data` at the resolution of evaluation."""
    side = data.test_resolution or data.resolution
    return data if side == data.resolution else replace(data, resolution=side, test_resolution=0)


def encoded(data: DataConfig) -> bool:
    """Whether images are decoded while a run trains: such sets have corrupt ones."""
    return hasattr(data, "corrupt")


@dataclass(frozen=True)
class Sizes:
    """Classes; images of `train` and, unless it is minival, of `split`; 1 (grey) or 3 channels.

    Images without labels are the part `pool`, where there are some.
    """

    n_classes: int
    images: Mapping[str, int]
    channels: int = 3


@dataclass(frozen=True)
class DataSet:
    """`sizes(config, cache_dir)` is called when planning, before any image is read or downloaded;
    without a `cache_dir` nothing is cached. `load(config, part, cache_dir)` gives the images of
    `train`, of an evaluation split or of the pool, whose labels are -1. `prepare(config,
    cache_dir)` is called once before runs start: the place for a download. All of them raise
    InputError for what a user can correct.
    """

    config: type[DataConfig]
    sizes: Callable[[Any, Path | None], Sizes]
    load: Callable[[Any, str, Path], Split]
    prepare: Callable[[Any, Path], None] = lambda config, cache_dir: None
