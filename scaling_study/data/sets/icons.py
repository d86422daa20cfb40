"""Icons of 100 concepts, by some hundred designers: grey, drawn anew at any resolution.

`icon_selection` chooses them from one version of the npm package `@iconify/json`, whose icons are
drawings (SVG). Test images are of sets by designers of whom no training image is.
"""

import csv
import gzip
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.extras import require_package
from scaling_study.common.files import replacing
from scaling_study.common.validation import require
from scaling_study.data.base import INFRASTRUCTURE, DataConfig, DataSet, Sizes
from scaling_study.data.images.svg import rendered
from scaling_study.data.sets.icon_selection import Icon, digest, select
from scaling_study.data.splits import Images
from scaling_study.data.storage.array_cache import cached_images, one_at_a_time
from scaling_study.data.storage.download import Checksum, fetched

PACKAGE = "json-2.2.535.tgz"
SHA512 = (
    "9c057ad00094487c27b1be9fb29fa57ad1e5364af03b8bf306d702e81e040c71"
    "2b4107dece4ec4de725d9f0263bdee8e09f30d3b4b954f956b8276bdfcd0a65f"
)
# Which icons `select` finds in it; another renderer might take others for copies.
SELECTION = "ec1c164936162e8e302be338fc4474f9cf969bc73fb9e0031eaecffaf66cc0d9"
# Images of each concept in both parts.
TABLE = Path(__file__).with_name("icons.csv")
# Raised whenever the images of the same drawings change.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IconsConfig(DataConfig):
    """`classes` of the concepts: those with `seed` 0 share none with those of seed 1.

    `root` is the folder of the package and of what is chosen from it, which are downloaded from the
    folder `url` and made if they are not there.
    """

    CLASS_SETTINGS: ClassVar[tuple[str, ...]] = ("classes", "seed")

    classes: int
    seed: int
    root: str = field(metadata=INFRASTRUCTURE)
    url: str = field(metadata=INFRASTRUCTURE)

    def __post_init__(self) -> None:
        super().__post_init__()
        n, most = self.classes, len(concepts())
        require(2 <= n <= most, "data.classes", n, f"must be 2 to {most}")
        draws = most // n
        asked = f"must be 0 to {draws - 1}: so many draws of {n} classes share none"
        require(0 <= self.seed < draws, "data.seed", self.seed, asked)
        require(bool(self.root), "data.root", "''", "must be a folder")

    def chosen(self) -> list[str]:
        """Its concepts, in the order of their class numbers."""
        order = np.random.default_rng(len(concepts())).permutation(sorted(concepts()))
        return sorted(order[self.seed * self.classes :][: self.classes].tolist())


@cache
def concepts() -> dict[str, dict[str, int]]:
    """Images of `train` and `test` by concept."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    return {row["concept"]: {part: int(row[part]) for part in ("train", "test")} for row in rows}


def sizes(data: IconsConfig, cache_dir: Path | None) -> Sizes:
    """Known without the icons; InputError where the package that draws them is not installed."""
    require_package("resvg_py", "data", "data=icons")
    every = [concepts()[name] for name in data.chosen()]
    images = {part: sum(each[part] for each in every) for part in ("train", "test")}
    return Sizes(data.classes, images, channels=1)


def prepare(data: IconsConfig, cache_dir: Path) -> None:
    """Download the package and choose, before machines without a network start runs."""
    _icons(data)


def load(data: IconsConfig, part: str, cache_dir: Path) -> Images:
    """The images of `part`, drawn at `data.resolution`, and cached."""
    path = cache_dir / f"icons-r{data.resolution}-{VERSION}.npz"
    images = cached_images(path, part, lambda: _drawn(data))
    numbers = {number: label for label, number in enumerate(map(_number, data.chosen()))}
    within = np.flatnonzero(np.isin(images.labels, [*numbers]))
    found = images.take(within)
    return found.labelled(np.array([numbers[n] for n in found.labels.tolist()], dtype=np.int64))


def _number(concept: str) -> int:
    return list(concepts()).index(concept)


def _drawn(data: IconsConfig) -> dict[str, Images]:
    """All icons of both parts, by the numbers of their concepts."""
    return {
        part: Images(
            rendered([icon.svg for icon in icons], data.resolution),
            np.array([_number(icon.concept) for icon in icons], dtype=np.int64),
        )
        for part, icons in _icons(data).items()
    }


def _icons(data: IconsConfig) -> dict[str, list[Icon]]:
    """The chosen icons of both parts, from the file of an earlier choice if there is one."""
    path = Path(data.root).expanduser() / f"icons-{PACKAGE.removesuffix('.tgz')}.json.gz"
    try:
        return _read(path)
    except Exception:  # it is missing, or damaged bytes, which can raise anything
        pass
    package = fetched(path.with_name(PACKAGE), f"{data.url.rstrip('/')}/{PACKAGE}", _checksum())
    with one_at_a_time(path):
        print(f"choosing icons of {package}", flush=True)
        parts = select(package)
        if digest(parts) != SELECTION:
            raise InputError(
                f"data=icons: {sum(map(len, parts.values()))} icons were chosen of {package}, and "
                "not those of which the sizes are known; this version of resvg-py draws otherwise"
            )
        with replacing(path) as file:
            file.write(gzip.compress(json.dumps(parts).encode(), mtime=0))
    return parts


def _read(path: Path) -> dict[str, list[Icon]]:
    """What was chosen before; ValueError if it is not all that."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    parts = {part: [Icon(*icon) for icon in content[part]] for part in ("train", "test")}
    if digest(parts) != SELECTION:
        raise ValueError(f"{path}: other icons")
    return parts


def _checksum() -> Checksum:
    return Checksum("sha512", SHA512)


DATA_SET = DataSet(IconsConfig, sizes, load, prepare)
