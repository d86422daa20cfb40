"""Parquet as Hugging Face stores image sets: columns image (a struct with the encoded bytes) and
label (class numbers), in files train-*.parquet, validation-*.parquet or test-*.parquet.

A row group is what can be read on its own. Training mixes a window of row groups at a time, small
enough to be held in memory; data sorted by class would make bad batches then, and is refused.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.extras import require_package
from scaling_study.common.validation import require
from scaling_study.data.base import DataSet
from scaling_study.data.splits import Encoded
from scaling_study.data.storage.array_cache import Columns
from scaling_study.data.storage.encoded_files import FilesConfig, file_states, require_all_parts
from scaling_study.data.storage.index import Listing

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

# Encoded images that a process holds, and that an epoch mixes at a time, in bytes.
WINDOW_BYTES = 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class ParquetConfig(FilesConfig):
    """Files below `root`, or its folder data, as in a repository of the Hugging Face hub."""

    EVAL_SPLITS: ClassVar[tuple[str, ...]] = ("validation", "test")

    image_column: str
    label_column: str


@dataclass(frozen=True)
class ParquetSource:
    """Images by number. Row groups are kept, the last used ones, up to `WINDOW_BYTES`."""

    paths: tuple[Path, ...]
    columns: Columns
    image_column: str
    _kept: OrderedDict[int, "pa.Array"] = field(default_factory=OrderedDict)
    _damaged: dict[int, str] = field(default_factory=dict)

    def read(self, number: int) -> bytes:
        group = self.columns["group"]
        row = number - int(np.searchsorted(group, group[number]))  # groups are in order
        value = self._group(int(group[number]))[row].as_py()
        return b"" if value is None else bytes(value)

    def place(self, number: int) -> str:
        file, within = self._file(int(self.columns["group"][number]))
        return f"{file} row group {within}, image {number} of all"

    def _file(self, group: int) -> tuple[Path, int]:
        file, within = (int(self.columns[name][group]) for name in ("group_file", "group_in_file"))
        return self.paths[file], within

    def _group(self, group: int) -> "pa.Array":
        if group in self._damaged:
            raise OSError(self._damaged[group])
        if group not in self._kept:
            self._kept[group] = self._read_group(group)
            while len(self._kept) > 1 and sum(a.nbytes for a in self._kept.values()) > WINDOW_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(group)
        return self._kept[group]

    def _read_group(self, group: int) -> "pa.Array":
        import pyarrow as pa
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        path, within = self._file(group)
        try:
            # Threads of pyarrow's own would compete with the other workers.
            table = pq.ParquetFile(path).read_row_group(
                within, columns=[f"{self.image_column}.bytes"], use_threads=False
            )
        except (pa.ArrowException, OSError) as error:
            # Once: each of its many images would read it again.
            self._damaged[group] = str(error)
            raise OSError(str(error)) from None
        return table.column(0).combine_chunks().field("bytes")


def load(data: ParquetConfig, part: str, cache_dir: Path) -> Encoded:
    listing = _listing(data)
    columns = listing.read(part, cache_dir)
    source = ParquetSource(tuple(_files(data, part)), columns, data.image_column)
    labels, groups = columns["labels"], columns["group"]
    mixed, listed = mixed_groups(columns), listing.listed(part, labels)
    return Encoded(source, labels, np.arange(len(labels)), groups, mixed, listed)


def mixed_groups(columns: Columns) -> int:
    """Row groups that fit into the window: one at least."""
    return max(1, int(WINDOW_BYTES // columns["group_bytes"].max(initial=1)))


GROUP_COLUMNS = ("group_rows", "group_file", "group_in_file", "group_bytes")


def _listing(data: ParquetConfig) -> Listing:
    require_package("pyarrow", "data", f"data={data.name}")
    files = {part: _files(data, part) for part in data.parts}

    def columns(part: str) -> Columns:
        labels, groups = [], []
        for number, path in enumerate(files[part]):
            for within, (group_labels, n_bytes) in enumerate(_row_groups(data, path)):
                labels.append(group_labels)
                groups.append((len(group_labels), number, within, n_bytes))
        table = np.array(groups, np.int64).reshape(-1, 4).T.copy()
        made = dict(zip(GROUP_COLUMNS, table, strict=True))
        made["group"] = np.repeat(np.arange(len(groups)), made["group_rows"])
        made["labels"] = np.concatenate([np.empty(0, np.int64), *labels]).astype(np.int64)
        if part == "train":
            _check_mixed(data, made)
        return made

    found = [file_states(files), data.label_column, data.image_column]
    return Listing(data.name, found, data.parts, ("group", *GROUP_COLUMNS), columns)


def _files(data: ParquetConfig, part: str) -> list[Path]:
    for folder in (data.folder, data.folder / "data"):
        if files := sorted(folder.glob(f"{part}-*.parquet")):
            require_all_parts(files)
            return files
    raise InputError(f"data.root={data.root}: there is no {part}-*.parquet in it")


def _row_groups(data: ParquetConfig, path: Path) -> Iterator[tuple[Any, int]]:
    """Labels of each row group of a file that has rows, and the bytes of its images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    image, label = data.image_column, data.label_column
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        names = [column.path for column in file.schema]
        if f"{image}.bytes" not in names or label not in names:
            raise InputError(
                f"{path}: needs the columns {image} (a struct with bytes) and {label}; it has "
                f"{', '.join(names)} (data.image_column and data.label_column name them)"
            )
        if not pa.types.is_integer(schema.field(label).type):
            raise InputError(f"{path}: {label} is {schema.field(label).type}, not class numbers")
        place = names.index(f"{image}.bytes")
        _check_bytes(path, file, place)
        for number in range(file.num_row_groups):
            column = file.read_row_group(number, columns=[label], use_threads=False).column(0)
            if column.null_count:
                raise InputError(f"{path}: {column.null_count} rows of {label} are empty")
            held = file.metadata.row_group(number).column(place).total_uncompressed_size
            yield column.to_numpy(), max(1, held)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: no Parquet file that can be read ({error})") from None


def _check_bytes(path: Path, file: Any, place: int) -> None:
    """Refuse a file whose images lie elsewhere: it has their paths and no bytes."""
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    known = [group.column(place).statistics for group in groups]
    rows = sum(group.num_rows for group in groups)
    if rows and all(known) and sum(one.null_count or 0 for one in known) == rows:
        raise InputError(f"{path}: its images have no bytes; save the set with its images embedded")


def _check_mixed(data: ParquetConfig, columns: Columns) -> None:
    """Refuse rows whose neighbours share a class much more often than rows drawn at random."""
    if mixed_groups(columns) >= len(columns["group_rows"]):
        return
    labels = columns["labels"]
    at_random = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    mixed = (labels[1:] == labels[:-1]).mean() <= (1 + at_random) / 2
    window = f"no more than {WINDOW_BYTES // 2**20} MiB are mixed at a time"
    accepted = f"the rows are sorted by class, and {window}; write them in random order"
    require(mixed, "data.root", data.root, accepted)


DATA_SET = DataSet(ParquetConfig, lambda data, cache_dir: _listing(data).sizes(cache_dir), load)
