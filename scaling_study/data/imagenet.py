"""ImageNet-1k by its published sizes: grids on it are planned before anybody has a copy."""

from dataclasses import dataclass

from scaling_study.data.arrays import Facts
from scaling_study.data.base import DataConfig
from scaling_study.errors import InputError
from scaling_study.values import require


@dataclass(frozen=True, kw_only=True)
class ImageNetConfig(DataConfig):
    """`root` is a copy in ImageNet's layout; `minival` the share of the training images held out.

    `classes`, `train_images` and `val_images` are declared, not counted.
    """

    root: str
    classes: int
    train_images: int
    val_images: int
    split: str
    minival: float
    crop: str
    crop_min_area: float
    randaugment_layers: int
    randaugment_magnitude: float

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.split in ("val", "minival")
        require(known, "data.split", self.split, "must be val or minival")
        require(0 < self.minival < 1, "data.minival", self.minival, "must be in (0, 1)")
        for name in ("classes", "train_images", "val_images"):
            require(
                getattr(self, name) >= 2, f"data.{name}", getattr(self, name), "must be 2 or more"
            )
        layers = self.randaugment_layers
        require(layers >= 0, "data.randaugment_layers", layers, "must be 0 (off) or more")


def facts(data: ImageNetConfig) -> Facts:
    """Sizes as declared."""
    if data.split == "val":
        return Facts(data.classes, data.train_images, data.val_images, "val", channels=3)
    held_out = round(data.minival * data.train_images)
    return Facts(data.classes, data.train_images - held_out, held_out, "minival", channels=3)


def refuse(data: ImageNetConfig) -> None:
    """There is nothing to train on.

    Raises:
        InputError: always, naming what is missing.
    """
    raise InputError(
        f"data.root={data.root!r}: sizes of ImageNet are declared for plans and no images are "
        "there; training needs data=imagefolder data.root=FOLDER"
    )
