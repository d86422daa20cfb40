"""ImageNet-1k: an image folder whose sizes are declared, so that it is planned without a copy."""

from dataclasses import dataclass, field
from pathlib import Path

from scaling_study.common.validation import require
from scaling_study.data.base import INFRASTRUCTURE, DataSet, Sizes
from scaling_study.data.sets import imagefolder
from scaling_study.data.sets.imagefolder import ImageFolderConfig


@dataclass(frozen=True, kw_only=True)
class ImageNetConfig(ImageFolderConfig):
    """`classes`, `train_images` and `val_images` are declared; a copy in `root` must have them."""

    root: str = field(metadata=INFRASTRUCTURE)  # the sizes say which images they are
    classes: int
    train_images: int
    val_images: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("classes", "train_images", "val_images"):
            count = getattr(self, name)
            require(count >= 2, f"data.{name}", count, "must be 2 or more")


def sizes(data: ImageNetConfig, cache_dir: Path | None) -> Sizes:
    return Sizes(data.classes, {"train": data.train_images, "val": data.val_images})


def prepare(data: ImageNetConfig, cache_dir: Path) -> None:
    """Look for the copy before anything is launched; InputError if it has other sizes."""
    found = imagefolder.sizes(data, cache_dir)
    there = {"classes": found.n_classes} | {f"{p}_images": n for p, n in found.images.items()}
    for name, count in there.items():
        declared = getattr(data, name)
        difference = f"data.{name} declares {declared} and {count} are there"
        accepted = f"{difference}; data=imagefolder takes what it finds"
        require(count == declared, "data.root", data.root, accepted)


DATA_SET = DataSet(ImageNetConfig, sizes, imagefolder.load, prepare)
