"""WebDataset shards: tar files; members NAME.jpg (.jpeg, .png) and NAME.cls belong together.

The shards are read once for an index of where each image lies; training then reads images at
random places, so an epoch is shuffled whole, and step k is the same after a crash.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.data.base import DataSet
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.array_cache import Columns
from scaling_study.data.storage.encoded_files import FilesConfig, file_states, require_all_parts
from scaling_study.data.storage.index import Listing

IMAGES = ("jpg", "jpeg", "png")
LABEL = "cls"
CLASS_NUMBER = re.compile(rb"-?\d{1,7}")
# Members that belong to no sample: hidden ones, as macOS makes, without a suffix, or named as
# WebDataset names its own.
STRAY = re.compile(r"(^|/)(\.[^/]*|[^./]*|__[^/]*__[^/]*)$")
# Of what lies behind a shard's last member; the padding of common tools is shorter.
END_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class WebDatasetConfig(FilesConfig):
    """Shards below `root`: `train` and `val` are patterns, with * or a range as in {000..127}."""

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("val",)

    train: str
    val: str

    def __post_init__(self) -> None:
        super().__post_init__()
        accepted = (
            "must name .tar files; packed ones cannot be read at random places, and JPEG does not "
            "get smaller"
        )
        for key, pattern in (("data.train", self.train), ("data.val", self.val)):
            require(pattern.endswith(".tar"), key, pattern, accepted)


@dataclass(frozen=True)
class ShardSource:
    """Images by number, from byte ranges of tar files."""

    paths: list[Path]
    columns: Columns

    def read(self, number: int) -> bytes:
        shard, offset, size = self._range(number)
        return _read_range(self.paths[shard], offset, size)

    def place(self, number: int) -> str:
        shard, offset, _ = self._range(number)
        return f"{self.paths[shard]} at byte {offset}"

    def _range(self, number: int) -> list[int]:
        return [int(self.columns[name][number]) for name in ("shard", "offset", "size")]


def load(data: WebDatasetConfig, part: str, cache_dir: Path) -> Encoded:
    listing = _listing(data)
    columns = listing.read(part, cache_dir)
    labels = columns["labels"]
    source = ShardSource(_shards(data, part), columns)
    return Encoded(source, labels, np.arange(len(labels)), listed=listing.listed(part, labels))


def _listing(data: WebDatasetConfig) -> Listing:
    paths = {part: _shards(data, part) for part in data.parts}

    def columns(part: str) -> Columns:
        rows = [(n, *row) for n, path in enumerate(paths[part]) for row in _members(path)]
        shard, offset, size, labels = np.array(rows, np.int64).reshape(-1, 4).T.copy()
        return {"labels": labels, "shard": shard, "offset": offset, "size": size}

    names = ("shard", "offset", "size")
    return Listing(data.name, file_states(paths), data.parts, names, columns)


def _shards(data: WebDatasetConfig, part: str) -> list[Path]:
    """The shards of a part in order, each once."""
    pattern, paths = getattr(data, part), []
    if not (names := expand(pattern)):
        raise InputError(f"data.{part}={pattern}: a range counts upwards, as in {{000..127}}")
    for name in names:
        try:
            found = sorted(data.folder.glob(name))
        except (NotImplementedError, ValueError) as error:
            why = f"must be a pattern below data.root ({error})"
            raise InputError(f"data.{part}={pattern}: {why}") from None
        if not found:
            raise InputError(f"data.{part}={pattern}: there is no {name} in {data.folder}")
        paths += found
    require_all_parts(paths)
    return list(dict.fromkeys(paths))


def expand(pattern: str) -> list[str]:
    """Names of a pattern with ranges: a-{08..10}.tar is a-08.tar, a-09.tar, a-10.tar."""
    if (match := re.search(r"\{(\d+)\.\.(\d+)\}", pattern)) is None:
        return [pattern]
    first, last = match.groups()
    before, after = pattern[: match.start()], pattern[match.end() :]
    numbers = (f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1))
    return [name for number in numbers for name in expand(before + number + after)]


def _members(path: Path) -> Iterator[tuple[int, int, int]]:
    """Offset and size of each image in a shard, and its label."""
    samples: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isfile() and not STRAY.search(member.name):
                    _add(samples, path, tar, member)
            end = tar.offset
        _check_end(path, end)
    except (tarfile.TarError, UnicodeError, ValueError, EOFError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: no shard that can be read ({error})") from None
    for name, sample in samples.items():
        if sample.keys() != {"image", "label"}:
            raise InputError(
                f"{path}: sample {name.lstrip('/')!r} needs one image ({', '.join(IMAGES)}) and "
                f"its class number (.{LABEL}); it has {', '.join(sample) or 'neither'}"
            )
        yield (*sample["image"], sample["label"])


def _add(
    samples: dict[str, dict[str, Any]], path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo
) -> None:
    """Add what a member holds to its sample; InputError if the sample has that already."""
    folder, _, file_name = member.name.rpartition("/")
    stem, _, suffix = file_name.partition(".")
    kind = {LABEL: "label"} | dict.fromkeys(IMAGES, "image")
    sample = samples.setdefault(f"{folder}/{stem}", {})
    if (what := kind.get(suffix.lower())) is None:
        return
    if what in sample:
        raise InputError(
            f"{path}: sample {member.name.rpartition('.')[0]!r} has two {what}s; every sample "
            "needs a name of its own"
        )
    image = member.offset_data, member.size
    sample[what] = image if what == "image" else _class_number(path, tar, member)


def _class_number(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    file = tar.extractfile(member)
    assert file is not None
    text = file.read(100).strip()
    if not CLASS_NUMBER.fullmatch(text):
        shown = text.decode(errors="replace")
        raise InputError(f"{path}: {member.name} holds {shown!r}; it must hold a class number")
    return int(text)


def _read_range(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return file.read(size)


def _check_end(path: Path, end: int) -> None:
    """ValueError unless zeros follow: tarfile takes any header that it cannot read for the end."""
    tail = _read_range(path, end, END_BYTES)
    if len(tail) < tarfile.BLOCKSIZE:
        raise ValueError(f"truncated at byte {end + len(tail)}, within or behind a member")
    if any(tail):
        raise ValueError(f"damaged at byte {end}, or shards that were joined")


DATA_SET = DataSet(WebDatasetConfig, lambda data, cache_dir: _listing(data).sizes(cache_dir), load)
