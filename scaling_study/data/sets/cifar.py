"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 32 px colour images, from the official archives.

The binary version is read: unlike the Python version it holds no pickles, which can run code.
"""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.data.base import INFRASTRUCTURE, DataConfig, DataSet, Sizes
from scaling_study.data.splits import Images
from scaling_study.data.storage.array_cache import cached_images
from scaling_study.data.storage.download import Checksum, fetched

SIDE = 32
# Raised whenever the arrays made from an archive change.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class CifarConfig(DataConfig):
    """`root` is the folder of the archive, which is downloaded from `url` unless it is there."""

    root: str = field(metadata=INFRASTRUCTURE)
    url: str = field(metadata=INFRASTRUCTURE)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.root), "data.root", "''", "must be a folder")


@dataclass(frozen=True)
class Archive:
    """Records of `label_bytes` labels, the last of them the class, and an image (3, 32, 32)."""

    file_name: str
    md5: str
    n_classes: int
    label_bytes: int
    members: dict[str, tuple[str, ...]]
    images: dict[str, int] = field(default_factory=lambda: {"train": 50_000, "test": 10_000})


ARCHIVES = {
    "cifar10": Archive(
        file_name="cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        n_classes=10,
        label_bytes=1,
        members={
            "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
            "test": ("cifar-10-batches-bin/test_batch.bin",),
        },
    ),
    "cifar100": Archive(
        file_name="cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
        n_classes=100,
        label_bytes=2,
        members={
            "train": ("cifar-100-binary/train.bin",),
            "test": ("cifar-100-binary/test.bin",),
        },
    ),
}


def sizes(data: CifarConfig, cache_dir: Path | None) -> Sizes:
    """Known without the archive; `load` checks them."""
    return Sizes(ARCHIVES[data.name].n_classes, ARCHIVES[data.name].images)


def prepare(data: CifarConfig, cache_dir: Path) -> None:
    """Download the archive unless it is there, before machines without a network start runs."""
    _archive_file(data)


def load(data: CifarConfig, part: str, cache_dir: Path) -> Images:
    """The images of `part`, resized bicubically unless `data.resolution` is 32, and cached."""
    archive = ARCHIVES[data.name]

    def make() -> dict[str, Images]:
        path = _archive_file(data)
        return {part: read(path, archive, part, data.resolution) for part in archive.members}

    key = f"{archive.md5[:8]}-r{data.resolution}-{VERSION}"
    return cached_images(cache_dir / f"{data.name}-{key}.npz", part, make)


def _archive_file(data: CifarConfig) -> Path:
    archive = ARCHIVES[data.name]
    path = Path(data.root).expanduser() / archive.file_name
    return fetched(path, data.url, Checksum("md5", archive.md5))


def read(path: Path, archive: Archive, part: str, resolution: int) -> Images:
    """The images of `part` in the archive at `path`; InputError if it holds something else."""
    # Planning imports this module and reads no image.
    from PIL import Image

    from scaling_study.data.images.crops import resized

    try:
        with tarfile.open(path, "r:gz") as tar:
            members = [tar.extractfile(name) for name in archive.members[part]]
            content = b"".join(member.read() for member in members if member is not None)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise InputError(f"{path}: cannot be read as {archive.file_name} ({error})") from None
    expected = archive.images[part] * (archive.label_bytes + 3 * SIDE**2)
    if len(content) != expected:
        raise InputError(f"{path}: {len(content)} bytes of {part} images, expected {expected}")
    records = np.frombuffer(content, np.uint8).reshape(archive.images[part], -1)
    labels = records[:, archive.label_bytes - 1].astype(np.int64)
    if labels.max() >= archive.n_classes:
        raise InputError(f"{path}: class {labels.max()} of {archive.n_classes}, counted from 0")
    planes = records[:, archive.label_bytes :].reshape(-1, 3, SIDE, SIDE)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return Images(resized(pixels, resolution, Image.Resampling.BICUBIC), labels)


DATA_SETS = dict.fromkeys(ARCHIVES, DataSet(CifarConfig, sizes, load, prepare))
