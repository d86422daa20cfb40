"""ImageNet's layout: ROOT/train/CLASS/NAME.JPEG and ROOT/val/CLASS/NAME.JPEG.

Several roots are one data set: a part has the images of all roots that have a folder of it.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.validation import later, require
from scaling_study.data.base import POOL, DataSet, Sizes
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.array_cache import Columns, cached
from scaling_study.data.storage.encoded_files import FilesConfig
from scaling_study.data.storage.index import Listing, can_keep, packed, unpacked

SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, kw_only=True)
class ImageFolderConfig(FilesConfig):
    """A folder a class; classes are numbered in the order of their names.

    `pool_root` has images without labels, in it and in its folders.
    """

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("val",)
    POOL_ADVICE: ClassVar[str] = "give data.pool_root"

    pool_root: str = later("")


@dataclass(frozen=True)
class FolderSource:
    """Images by number, from paths below `root`."""

    root: Path
    columns: Columns

    def read(self, number: int) -> bytes:
        return Path(self.place(number)).read_bytes()

    def place(self, number: int) -> str:
        return str(self.root / unpacked(self.columns, number))


def sizes(data: ImageFolderConfig, cache_dir: Path | None) -> Sizes:
    found = _listing(data).sizes(cache_dir)
    if not data.pool_root:
        return found
    pool = len(_pool(data, cache_dir)["ends"])
    return Sizes(found.n_classes, {**found.images, POOL: pool}, found.channels)


def load(data: ImageFolderConfig, part: str, cache_dir: Path) -> Encoded:
    if part == POOL:
        columns = _pool(data, cache_dir)
        n, root = len(columns["ends"]), Path(data.pool_root).expanduser()
        return Encoded(FolderSource(root, columns), np.full(n, -1), np.arange(n))
    listing = _listing(data)
    columns = listing.read(part, cache_dir)
    labels = columns["labels"]
    source = FolderSource(_base(data, part), columns)
    return Encoded(source, labels, np.arange(len(labels)), listed=listing.listed(part, labels))


def _pool(data: ImageFolderConfig, cache_dir: Path | None) -> Columns:
    """Paths of the images without labels below `pool_root`, listed once."""
    root = Path(data.pool_root).expanduser()
    require(root.is_dir(), "data.pool_root", data.pool_root, "no such folder")
    with _entries(root) as entries:
        below = [Path(e.path) for e in entries if e.name[0] != "." and e.is_dir()]
    folders = [root, *sorted(below)]

    def columns() -> Columns:
        paths = [folder / name for folder in folders for name in _names(folder)]
        accepted = f"holds no images, in it or in its folders; accepted: {', '.join(SUFFIXES)}"
        require(bool(paths), "data.pool_root", data.pool_root, accepted)
        return packed([str(path.relative_to(root)) for path in paths])

    if cache_dir is None or not can_keep(cache_dir):
        return columns()
    times = [(str(folder.resolve()), folder.stat().st_mtime_ns) for folder in folders]
    name = hashlib.sha256(json.dumps(times).encode()).hexdigest()[:16]
    path = cache_dir / f"{data.name}-pool-{name}.npz"
    return cached(path, POOL, ("text", "ends"), lambda: {POOL: columns()})


def _listing(data: ImageFolderConfig) -> Listing:
    found = {part: _class_folders(data, part) for part in data.parts}
    classes = {part: _by_class(folders) for part, folders in found.items()}
    for part, names in classes.items():
        odd = sorted(names.keys() ^ classes["train"].keys())
        counts = f"train has {len(classes['train'])} class folders and {part} {len(names)}"
        require(not odd, "data.root", data.root, f"{counts}; not in both: {', '.join(odd[:5])}")

    def columns(part: str) -> Columns:
        labels, paths = [], []
        for label, name in enumerate(sorted(classes["train"])):
            for folder in classes[part][name]:
                images = _images(folder)
                labels += [label] * len(images)
                below = folder.relative_to(_base(data, part))
                paths += [f"{below}/{image}" for image in images]
        return {"labels": np.array(labels, np.int64), **packed(paths)}

    states = {part: _state(data, part, folders) for part, folders in found.items()}
    roots = [str(folder.resolve()) for folder in data.folders]
    state = [roots[0] if len(roots) == 1 else roots, states]
    return Listing(data.name, state, data.parts, ("text", "ends"), columns)


def _base(data: ImageFolderConfig, part: str) -> Path:
    """What the paths of a listing are relative to."""
    folders = data.folders
    return folders[0] / part if len(folders) == 1 else Path("/")


def _by_class(folders: Mapping[Path, int]) -> dict[str, list[Path]]:
    """The folders of each class, by its name."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(folder.name, []).append(folder)
    return found


def _state(data: ImageFolderConfig, part: str, folders: Mapping[Path, int]) -> dict[str, int]:
    """When each folder last changed (ns), by its path."""
    base = _base(data, part)
    return {str(folder.relative_to(base)): time for folder, time in folders.items()}


def _class_folders(data: ImageFolderConfig, part: str) -> dict[Path, int]:
    """Class folders of `part`, and when their lists of files last changed (ns)."""
    several = len(data.folders) > 1
    parts = [(folder.resolve() if several else folder) / part for folder in data.folders]
    layout = "the layout is ROOT/train/CLASS/IMAGE and ROOT/val/CLASS/IMAGE"
    if part != "train":
        layout += "; data.split=minival needs no val"
    absent = f"there is no folder {part} in it; {layout}"
    there = [folder for folder in parts if not _leads_nowhere(folder) and folder.is_dir()]
    require(bool(there), "data.root", data.root, absent)
    times: dict[Path, int] = {}
    for folder in there:
        with _entries(folder) as entries:
            shown = [entry for entry in entries if entry.name[0] != "."]
            named = [e for e in shown if not _leads_nowhere(folder / e.name) and e.is_dir()]
            times |= {folder / entry.name: entry.stat().st_mtime_ns for entry in named}
    accepted = f"images must lie in a folder for each class, {part}/CLASS/IMAGE"
    n_classes = len({folder.name for folder in times})
    found = f"{there[0]} holds {n_classes} class folders"
    require(n_classes >= 2, "data.root", data.root, f"{found}; {accepted}")
    return dict(sorted(times.items()))


def _leads_nowhere(folder: Path) -> bool:
    """InputError for a link to nothing, which would leave out all images of a class unnoticed."""
    if folder.is_symlink() and not folder.exists():
        raise InputError(f"data.root: {folder} is a link to nothing; mend or remove it")
    return False


def _images(folder: Path) -> list[str]:
    if not (names := _names(folder)):
        raise InputError(
            f"data.root: {folder} holds no images; accepted: {', '.join(SUFFIXES)}, "
            "directly in the class folder"
        )
    return names


def _names(folder: Path) -> list[str]:
    with _entries(folder) as entries:
        return sorted(entry.name for entry in entries if _is_image(entry))


def _is_image(entry: os.DirEntry[str]) -> bool:
    """By its name. A link to nothing counts: the image is lost, which a run will report."""
    if not entry.name.lower().endswith(SUFFIXES) or entry.name[0] == ".":
        return False
    return entry.is_file() or (entry.is_symlink() and not entry.is_dir())


@contextmanager
def _entries(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            yield entries
    except OSError as error:
        raise InputError(f"data.root: {folder} cannot be read ({error.strerror})") from None


DATA_SET = DataSet(ImageFolderConfig, sizes, load)
