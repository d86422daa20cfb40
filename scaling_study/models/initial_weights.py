"""Where a run's first weights come from: drawn, or a file whose content is part of the run's id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
ACCEPTED = f"must be none or timm:PATH of a state dict ({', '.join(SUFFIXES)})"


@dataclass(frozen=True, kw_only=True)
class InitialWeights:
    """A file of weights; `names` says by whose names: timm's. Its digest identifies it."""

    names: str
    path: str
    sha256: str


def initial_weights(value: object) -> InitialWeights | None:
    """`init` of a run: none, timm:PATH, or the mapping that a run's config.yaml has of it.

    InputError for anything else, or a file that cannot be read.
    """
    if value is None or value == "none":
        return None
    if isinstance(value, Mapping):
        return from_values(InitialWeights, value, "init.")
    names, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    if names != "timm" or Path(path).suffix not in SUFFIXES:
        raise InputError(f"init={value}: {ACCEPTED}")
    file = Path(path).expanduser().resolve()
    return InitialWeights(names=names, path=str(file), sha256=sha256(file))


def sha256(file: Path) -> str:
    """SHA-256 in hex, computed again if the file changes; InputError if it cannot be read."""
    try:
        state = file.stat()
        return _sha256(file, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise InputError(f"init: cannot read {file} ({error.strerror})") from None


@lru_cache(maxsize=64)
def _sha256(file: Path, size: int, mtime_ns: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
