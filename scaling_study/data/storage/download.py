"""Files that are downloaded once, and used only if their checksum is right."""

import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.data.storage.array_cache import one_at_a_time

# A server that sends no byte for this long counts as dead.
TIMEOUT_S = 60


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetched(path: Path, url: str, md5: str) -> Path:
    """`path`, downloaded from `url` unless it is there; then its folder may be read-only.

    InputError if that fails, the file cannot be used, or its checksum is not `md5`.
    """
    try:
        if not path.is_file():
            with one_at_a_time(path):
                if not path.is_file():  # another run may have got it meanwhile
                    _download(path, url, md5)
        found = md5_of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be used ({error.strerror}); data.root must be the folder that has the "
            "file, or one that can be written"
        ) from None
    if found != md5:
        raise InputError(
            f"{path}: its MD5 is {found}, the official archive's {md5}; remove the file, and "
            "it is downloaded again"
        )
    return path


def _download(path: Path, url: str, md5: str) -> None:
    print(f"downloading {url} to {path}", flush=True)
    with replacing(path) as file:
        _copy(url, file, path)
        if (found := md5_of(Path(file.name))) != md5:
            raise InputError(
                f"{url}: {file.tell()} bytes with MD5 {found}, expected {md5}; "
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
