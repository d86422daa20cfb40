"""What data sets of encoded files have in common."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.data.base import INFRASTRUCTURE, MINIVAL, DataConfig


@dataclass(frozen=True, kw_only=True)
class FilesConfig(DataConfig):
    """Images under `root`; corrupt ones are left out (`corrupt` skip) or end the run (fail)."""

    root: str
    corrupt: str = field(metadata=INFRASTRUCTURE)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.root), "data.root", "''", "must be the folder of the images")
        known = self.corrupt in ("skip", "fail")
        require(known, "data.corrupt", self.corrupt, "must be skip or fail")

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
