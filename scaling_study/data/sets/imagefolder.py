"""ImageNet's layout: ROOT/train/CLASS/NAME.JPEG and ROOT/val/CLASS/NAME.JPEG."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.data.base import DataSet, Sizes
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.array_cache import Columns
from scaling_study.data.storage.encoded_files import FilesConfig
from scaling_study.data.storage.index import Listing, packed, unpacked

SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, kw_only=True)
class ImageFolderConfig(FilesConfig):
    """A folder a class; classes are numbered in the order of their names."""

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("val",)


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
    return _listing(data).sizes(cache_dir)


def load(data: ImageFolderConfig, part: str, cache_dir: Path) -> Encoded:
    columns = _listing(data).read(part, cache_dir)
    labels = columns["labels"]
    return Encoded(FolderSource(data.folder / part, columns), labels, np.arange(len(labels)))


def _listing(data: ImageFolderConfig) -> Listing:
    classes = {part: _class_folders(data, part) for part in data.parts}
    for part, names in classes.items():
        odd = sorted(names.keys() ^ classes["train"].keys())
        found = f"train has {len(classes['train'])} class folders and {part} {len(names)}"
        require(not odd, "data.root", data.root, f"{found}; not in both: {', '.join(odd[:5])}")

    def columns(part: str) -> Columns:
        labels, paths = [], []
        for label, name in enumerate(sorted(classes["train"])):
            images = _images(data.folder / part / name)
            labels += [label] * len(images)
            paths += [f"{name}/{image}" for image in images]
        return {"labels": np.array(labels, np.int64), **packed(paths)}

    state = [str(data.folder.resolve()), classes]
    return Listing(data.name, state, data.parts, ("text", "ends"), columns)


def _class_folders(data: ImageFolderConfig, part: str) -> dict[str, int]:
    """Folders of `part`, and when their lists of files last changed (ns)."""
    folder = data.folder / part
    layout = "the layout is ROOT/train/CLASS/IMAGE and ROOT/val/CLASS/IMAGE"
    if part != "train":
        layout += "; data.split=minival needs no val"
    absent = f"there is no folder {part} in it; {layout}"
    require(folder.is_dir(), "data.root", data.root, absent)
    with _entries(folder) as entries:
        folders = [entry for entry in entries if entry.is_dir() and entry.name[0] != "."]
        times = {entry.name: entry.stat().st_mtime_ns for entry in folders}
    accepted = f"images must lie in a folder for each class, {part}/CLASS/IMAGE"
    found = f"{folder} holds {len(times)} class folders"
    require(len(times) >= 2, "data.root", data.root, f"{found}; {accepted}")
    return dict(sorted(times.items()))


def _images(folder: Path) -> list[str]:
    with _entries(folder) as entries:
        names = [entry.name for entry in entries if _is_image(entry)]
    if not names:
        raise InputError(
            f"data.root: {folder} holds no images; accepted: {', '.join(SUFFIXES)}, "
            "directly in the class folder"
        )
    return sorted(names)


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
