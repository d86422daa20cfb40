"""Files that are downloaded once, and used only if their checksum is right."""

import gzip
import hashlib
import io
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.data.storage.array_cache import one_at_a_time

# A server that sends no byte for this long counts as dead.
TIMEOUT_S = 60


@dataclass(frozen=True)
class Checksum:
    """The right `digest` of a file by `algorithm`; `unpacked`: of what a gzip file holds."""

    algorithm: str
    digest: str
    unpacked: bool = False

    @property
    def name(self) -> str:
        """What people call it: MD5, SHA256."""
        return self.algorithm.upper()

    def of(self, path: Path) -> str:
        """That of the file at `path`; in words, if it is no whole gzip file."""
        with gzip.open(path) if self.unpacked else path.open("rb") as file:
            try:
                return hashlib.file_digest(cast(io.BufferedIOBase, file), self._new).hexdigest()
            except (gzip.BadGzipFile, EOFError, zlib.error):
                return "unknown (no whole gzip file)"

    def _new(self) -> "hashlib._Hash":
        return hashlib.new(self.algorithm, usedforsecurity=False)


def fetched(path: Path, url: str, checksum: Checksum) -> Path:
    """`path`, downloaded from `url` unless it is there; then its folder may be read-only.

    InputError if that fails, the file cannot be used, or has not this checksum.
    """
    try:
        if not path.is_file():
            with one_at_a_time(path):
                if not path.is_file():  # another run may have got it meanwhile
                    _download(path, url, checksum)
        found = checksum.of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be used ({error.strerror}); data.root must be the folder that has the "
            "file, or one that can be written"
        ) from None
    if found != checksum.digest:
        raise InputError(
            f"{path}: its {checksum.name} is {found}, the official file's {checksum.digest}; "
            "remove the file, and it is downloaded again"
        )
    return path


def _download(path: Path, url: str, checksum: Checksum) -> None:
    print(f"downloading {url} to {path}", flush=True)
    with replacing(path) as file:
        _copy(url, file, path)
        if (found := checksum.of(Path(file.name))) != checksum.digest:
            raise InputError(
                f"{url}: {file.tell()} bytes with {checksum.name} {found}, expected "
                f"{checksum.digest}; "
                f"put the right file at {path}, or give its address as data.url"
            )


def _copy(url: str, file: BinaryIO, path: Path) -> None:
    # Planning imports this module and downloads nothing.
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            shutil.copyfileobj(answer, file)
        file.flush()
    except (http.client.HTTPException, OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise InputError(
            f"{url}: cannot be downloaded ({error}); put the file at {path}, or give another "
            "address as data.url"
        ) from None
