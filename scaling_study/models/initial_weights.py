"""Where a run's first weights come from: drawn, a file or a run; and which run is its teacher.

The content of a file is part of the run's id, and so is the id of another run.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values, later

SUFFIXES = (".safetensors", ".pth", ".pth.tar", ".pt", ".bin")
OF_GRIDS = (
    "run:RUN_ID of a finished run in the same store; in a grid also run(NAME) of a run under "
    "grid.parents, or run(SETTING=VALUE, …)"
)
ACCEPTED = f"must be none, timm:PATH of a state dict ({', '.join(SUFFIXES)}), or {OF_GRIDS}"
OF_TEACHER = f"must be none, or {OF_GRIDS}"
# Run ids are made of these.
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class InitialWeights:
    """A file of weights; `names` says by whose names: timm's. Its digest identifies it."""

    names: str
    path: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.names}:{self.path}"


@dataclass(frozen=True, kw_only=True)
class ParentRun:
    """A run of the same store whose averaged weights another run uses; `run` is its id.

    The id says all that made its weights, so nothing else of it is part of a run's identity.
    `name` is what a grid calls it. `cell` is its config id where replicates of the child start from
    replicates of it: then it identifies the child's cell.
    """

    run: str
    cell: str | None = later(None)
    name: str = later("")

    def __str__(self) -> str:
        return f"run({self.name})" if self.name else f"run:{self.run}"


Init = InitialWeights | ParentRun | None


def initial_weights(value: object) -> Init:
    """`init` of a run: none, timm:PATH, run:RUN_ID, or what a run's config.yaml has of it.

    InputError for anything else, or a file that cannot be read.
    """
    if value is None or value == "none":
        return None
    if isinstance(value, ParentRun):
        return value
    if isinstance(value, Mapping):
        if "run" in value:
            return from_values(ParentRun, value, "init.")
        return from_values(InitialWeights, value, "init.")
    names, path = _named(value)
    if names == "run" and RUN_ID.fullmatch(path):
        return ParentRun(run=path)
    if names != "timm" or not path.endswith(SUFFIXES):
        raise InputError(f"init={value}: {ACCEPTED}")
    file = Path(path).expanduser().resolve()
    return InitialWeights(names=names, path=str(file), sha256=sha256(file))


def teacher_run(value: object) -> ParentRun | None:
    """`teacher` of a run: none, run:RUN_ID, or what a run's config.yaml has of it.

    InputError for anything else.
    """
    if value is None or value == "none":
        return None
    if isinstance(value, ParentRun):
        return value
    if isinstance(value, Mapping):
        return from_values(ParentRun, value, "teacher.")
    names, path = _named(value)
    if names == "run" and RUN_ID.fullmatch(path):
        return ParentRun(run=path)
    raise InputError(f"teacher={value}: {OF_TEACHER}")


def _named(value: object) -> tuple[str, str]:
    """What stands before and behind the first colon of a text."""
    names, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    return names, path


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
