"""Where Hydra looks for YAML files: the packaged folders, and those that a command line adds."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.site_folders import site_folders

DIRECTORY = ("--config-dir", "-cd")
# Settings that name a file or a folder to write to; ~ is the user's home in them.
WRITTEN = (("results_dir",), ("cache_dir",), ("report", "out"), ("plan", "out"))


def not_text(error: UnicodeDecodeError) -> str:
    """Which file it was that is no UTF-8 text."""
    names = [path for path in _files() if path.read_bytes() == error.object]
    where = names[0] if names else "a configuration file"
    return f"{where}: no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"


def _files() -> Iterator[Path]:
    """All YAML files in folders that the command line or the package may mean."""
    words = sys.argv[1:]
    told = [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    told += [after for word, after in pairwise(words) if word in DIRECTORY]
    texts = [word.partition("=")[2] for word in words if word.startswith("hydra.searchpath=")]
    told += [part.strip(" '\"") for text in texts for part in text.strip("[]'\"").split(",")]
    folders = [Path(folder.removeprefix("file://")) for folder in told if folder]
    folders += site_folders()
    for folder in (*folders, data_dir("sweeps"), data_dir("conf")):
        yield from (path for path in folder.rglob("*.yaml") if path.is_file())


def expand_home(settings: dict[Any, Any]) -> None:
    """Put the home folder for ~ into the names of what is `WRITTEN`.

    Raises an InputError for an empty name, which would be that of the working folder.
    """
    for *path, name in WRITTEN:
        group = settings
        for part in path:
            below = group.get(part)
            group = below if isinstance(below, dict) else {}
        value, key = group.get(name), ".".join([*path, name])
        if isinstance(value, str) and not value.strip():
            raise InputError(f"{key}={value!r}: no name of a file or folder; . is the one here")
        if isinstance(value, str) and value.startswith("~"):
            try:
                group[name] = str(Path(value).expanduser())
            except RuntimeError:
                raise InputError(f"{key}={value}: no such user has a home here") from None
