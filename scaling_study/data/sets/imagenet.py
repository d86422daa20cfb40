"""ImageNet-1k: an image folder whose sizes are declared, so that it is planned without a copy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from scaling_study.common.validation import LATER, later, require
from scaling_study.data.base import INFRASTRUCTURE, POOL, DataSet, Sizes
from scaling_study.data.sets import imagefolder
from scaling_study.data.sets.imagefolder import ImageFolderConfig


@dataclass(frozen=True, kw_only=True)
class ImageNetConfig(ImageFolderConfig):
    """`classes`, `train_images` and `val_images` are declared; a copy in `root` must have them.

    So are the `pool_images` without labels, which lie in `pool_root`.
    """

    POOL_ADVICE: ClassVar[str] = "give data.pool_images"

    root: str = field(metadata=INFRASTRUCTURE)  # the sizes say which images they are
    classes: int
    train_images: int
    val_images: int
    pool_root: str = field(default="", metadata={**INFRASTRUCTURE, **LATER})
    pool_images: int = later(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("classes", "train_images", "val_images"):
            count = getattr(self, name)
            require(count >= 2, f"data.{name}", count, "must be 2 or more")
        require(self.pool_images >= 0, "data.pool_images", self.pool_images, "must be 0 or more")


def sizes(data: ImageNetConfig, cache_dir: Path | None) -> Sizes:
    images = {"train": data.train_images, "val": data.val_images, POOL: data.pool_images}
    return Sizes(data.classes, images)


def prepare(data: ImageNetConfig, cache_dir: Path) -> None:
    """Look for the copy before anything is launched; InputError if it has other sizes."""
    needs_pool = bool(data.pool_images) == bool(data.pool_root)
    absent = f"data.pool_images={data.pool_images} needs a folder of as many images, or 0 none"
    require(needs_pool, "data.pool_root", repr(data.pool_root), absent)
    found = imagefolder.sizes(data, cache_dir)
    there = {"classes": found.n_classes} | {f"{p}_images": n for p, n in found.images.items()}
    for name, count in there.items():
        declared = getattr(data, name)
        difference = f"data.{name} declares {declared} and {count} are there"
        accepted = f"{difference}; data=imagefolder takes what it finds"
        require(count == declared, "data.root", data.root, accepted)


DATA_SET = DataSet(ImageNetConfig, sizes, imagefolder.load, prepare)
