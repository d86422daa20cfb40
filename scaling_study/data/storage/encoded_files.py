"""What data sets of encoded files have in common."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.validation import later, require
from scaling_study.data.base import INFRASTRUCTURE, MINIVAL, DataConfig

# As in train-00000-of-00003.parquet.
PART_OF = re.compile(r"(\d+)-of-(\d+)")


@dataclass(frozen=True, kw_only=True)
class FilesConfig(DataConfig):
    """Images under `root`; corrupt ones are left out (`corrupt` skip) or end the run (fail).

    `stored_side`: training images are first resized to a square of this side (px; 0: they are not),
    in which a local disk keeps them.
    """

    root: str
    corrupt: str = field(metadata=INFRASTRUCTURE)
    stored_side: int = later(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.root), "data.root", "''", "must be the folder of the images")
        known = self.corrupt in ("skip", "fail")
        require(known, "data.corrupt", self.corrupt, "must be skip or fail")
        side = self.stored_side
        accepted = f"must be 0 (off), or data.resolution={self.resolution} px or more"
        require(side == 0 or side >= self.resolution, "data.stored_side", side, accepted)

    @property
    def folder(self) -> Path:
        """`root`; InputError if there is no such folder."""
        folder = Path(self.root).expanduser()
        require(folder.is_dir(), "data.root", self.root, "no such folder")
        return folder

    @property
    def folders(self) -> list[Path]:
        """The folders in `root`, which may name several, as a path does: /a:/b.

        InputError if one of them does not exist.
        """
        if Path(self.root).expanduser().is_dir():
            return [Path(self.root).expanduser()]
        folders = [Path(name).expanduser() for name in self.root.split(os.pathsep)]
        for folder in folders:
            require(folder.is_dir(), "data.root", folder, "no such folder")
        return folders

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that a run on this data uses: train, and the evaluation split unless minival."""
        return ("train",) if self.split == MINIVAL else ("train", self.split)


def file_states(paths: Mapping[str, Sequence[Path]]) -> dict[str, list[tuple[str, int, int]]]:
    """Path, bytes and time of change (ns) of each file; InputError if one is not accessible."""

    def state(path: Path) -> tuple[str, int, int]:
        try:
            stat = path.stat()
            return str(path.resolve()), stat.st_size, stat.st_mtime_ns
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None

    return {part: [state(path) for path in files] for part, files in paths.items()}


def require_all_parts(paths: Sequence[Path]) -> None:
    """InputError if files are named as parts of a whole, and not each part is there once."""
    found: dict[str, list[int]] = {}
    for path in paths:
        if match := PART_OF.search(path.name):
            found.setdefault(match[2], []).append(int(match[1]))
    if len(found) > 1:
        names = " and ".join(f"-of-{total}" for total in sorted(found))
        raise InputError(f"{paths[0].parent}: files of two data sets, {names}; keep one of them")
    for total, numbers in found.items():
        # Most count from 0, some from 1.
        wanted = range(1, int(total) + 1) if int(total) in numbers else range(int(total))
        some = next(path for path in paths if PART_OF.search(path.name))
        for number in wanted:
            name = PART_OF.sub(f"{number:0{len(total)}d}-of-{total}", some.name)
            if (times := numbers.count(number)) != 1:
                how = "is missing" if not times else "is there twice"
                raise InputError(f"{some.parent}: {name} {how}; download the set anew")
