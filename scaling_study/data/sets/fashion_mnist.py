"""Fashion-MNIST (Xiao et al. 2017): 70,000 grey photographs of clothes, 28 px, in ten classes.

Its four files are in the IDX format (LeCun's: a magic number, big-endian sizes, bytes), as the
authors and Debian's package `dataset-fashion-mnist` have them. Checksums are those of the unpacked
content, which is the same however a file was packed.
"""

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scaling_study.common.validation import later, require
from scaling_study.data.base import INFRASTRUCTURE, POOL, DataConfig, DataSet, Sizes
from scaling_study.data.splits import Images
from scaling_study.data.storage.array_cache import cached_images
from scaling_study.data.storage.download import Checksum, fetched

N_CLASSES = 10
N_IMAGES = {"train": 60_000, "test": 10_000}
# Where Debian's package puts the files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# Images and labels of each part, with the SHA-256 of their content.
FILES = {
    "train": (
        (
            "train-images-idx3-ubyte",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        (
            "train-labels-idx1-ubyte",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
    ),
    "test": (
        (
            "t10k-images-idx3-ubyte",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        (
            "t10k-labels-idx1-ubyte",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}
# Raised whenever the arrays made from the files change.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FashionMnistConfig(DataConfig):
    """`train_images` of the training images are used, drawn without regard to class: those with
    `seed` 0 share none with those of seed 1. Of them only the first `labelled_images` have labels,
    and the rest are the pool; 0: all have. `root` is the folder of the four files, packed or not;
    what neither it nor Debian's package has is downloaded from the folder `url`.
    """

    POOL_ADVICE: ClassVar[str] = "give data.labelled_images, and the rest is the pool"

    train_images: int
    seed: int
    root: str = field(metadata=INFRASTRUCTURE)
    url: str = field(metadata=INFRASTRUCTURE)
    labelled_images: int = later(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        most, n = N_IMAGES["train"], self.train_images
        require(1 <= n <= most, "data.train_images", n, f"must be 1 to {most}")
        draws = most // n
        asked = f"must be 0 to {draws - 1}: so many draws of {n} images share none"
        require(0 <= self.seed < draws, "data.seed", self.seed, asked)
        require(bool(self.root), "data.root", "''", "must be a folder")
        labelled, accepted = self.labelled_images, f"must be less than data.train_images={n}, or 0"
        require(0 <= labelled < n, "data.labelled_images", labelled, accepted)


def sizes(data: FashionMnistConfig, cache_dir: Path | None) -> Sizes:
    """Known without the files."""
    labelled = data.labelled_images or data.train_images
    images = {**N_IMAGES, "train": labelled, POOL: data.train_images - labelled}
    return Sizes(N_CLASSES, images, channels=1)


def prepare(data: FashionMnistConfig, cache_dir: Path) -> None:
    """Find or download the files, before machines without a network start runs."""
    for files in FILES.values():
        for name, sha256 in files:
            _file(data, name, sha256)


def load(data: FashionMnistConfig, part: str, cache_dir: Path) -> Images:
    """The images of `part`, resized bicubically unless `data.resolution` is 28, and cached."""
    path = cache_dir / f"fashion_mnist-r{data.resolution}-{VERSION}.npz"
    read = "train" if part == POOL else part
    images = cached_images(path, read, lambda: {name: _read(data, name) for name in FILES})
    if part not in ("train", POOL):
        return images
    order = np.random.default_rng([len(images.labels), 2]).permutation(len(images.labels))
    first = data.seed * data.train_images
    chosen = order[first : first + data.train_images]
    labelled = data.labelled_images or data.train_images
    if part == "train":
        return images.take(chosen[:labelled])
    pool = images.take(chosen[labelled:])
    return pool.labelled(np.full(len(pool.labels), -1))


def _read(data: FashionMnistConfig, part: str) -> Images:
    # Planning imports this module and reads no image.
    from PIL import Image

    from scaling_study.data.images.crops import resized

    pixels, labels = (array_of(_file(data, name, sha256)) for name, sha256 in FILES[part])
    pixels = resized(pixels, data.resolution, Image.Resampling.BICUBIC)
    return Images(pixels, labels.astype(np.int64))


def _file(data: FashionMnistConfig, name: str, sha256: str) -> Path:
    """The file in `data.root`, else in Debian's package, else downloaded; InputError if it is none.

    A file of other content in `data.root` is refused, not passed over.
    """
    root = Path(data.root).expanduser()
    places = [folder / n for folder in (root, DEBIAN) for n in (name, f"{name}.gz")]
    packed = root / f"{name}.gz"
    path = next((place for place in places if place.is_file()), packed)
    checksum = Checksum("sha256", sha256, unpacked=path.suffix == ".gz")
    return fetched(path, f"{data.url.rstrip('/')}/{packed.name}", checksum)


def array_of(path: Path) -> NDArray[np.uint8]:
    """The bytes of an IDX file, packed or not, in their shape."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


DATA_SET = DataSet(FashionMnistConfig, sizes, load, prepare)
