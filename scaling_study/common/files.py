"""Files replaced whole, locks on folders, and the ends of logs."""

import csv
import errno
import fcntl
import io
import math
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

# What flock answers where a file system has no locks: Lustre without -o flock, some NFS and FUSE.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}

# How often a lock is tried that may not be waited for without end.
TRY_S = 0.2


class WriteError(OSError):
    """A file could not be written; the message is one sentence that names it."""

    def __str__(self) -> str:
        return f"{self.filename}: cannot be written ({self.strerror})"


@contextmanager
def replacing(path: Path, survives_crash: bool = True) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends: readers see the old one or this.

    That holds after a crash of the machine only if it `survives_crash`, which costs a sync. If the
    block raises nothing is left of it. Raises a WriteError if the file system refuses.
    """
    # No other process has this name, whatever its number and machine.
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            if survives_crash:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise WriteError(error.errno, error.strerror or str(error), str(path)) from None
        raise


def replace_file(path: Path, text: str, survives_crash: bool = True) -> None:
    """Write `text` as `replacing` does; what is no character, as in odd names of files, escaped."""
    with replacing(path, survives_crash) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def replace_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a table, its header first, as `replacing` does."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_file(path, text.getvalue())


def remove_leftovers(folder: Path, of: str = "*", except_of: str = "") -> None:
    """Remove what killed writers of the files `of` (a pattern) have left in a folder.

    Only for files that nobody else writes at this moment.
    """
    with suppress(OSError):
        for path in folder.glob(f".{of}.tmp"):
            if not (except_of and path.name.startswith(f".{except_of}")):
                path.unlink(missing_ok=True)


def no_link(path: str, flags: int) -> int:
    """Opener for files that are written in place: no link is followed, no pipe's reader waited for.

    Who may write to a folder could otherwise have us write to any file of ours.
    """
    more = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(path, flags | more, 0o666)


def refuse_link(folder: Path) -> None:
    """Raise a WriteError if a folder to be written to is a link of another user's."""
    with suppress(FileNotFoundError):
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in (os.getuid(), 0):
            raise WriteError(errno.ELOOP, "it is a link of another user's", str(folder))


@contextmanager
def locked(path: Path, patience_s: float = math.inf) -> Iterator[bool]:
    """Only one process at a time is in such a block: the lock is on the file at `path`.

    False if it has not come free within `patience_s`. Raises an OSError if the file system has no
    locks, or the file cannot be used. No link is followed, and nothing is written to the file.
    """
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        lock = os.open(path, os.O_RDWR | flags, 0o666)
    except PermissionError:  # another user's, who has not made it writable for the group
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _share(lock, path.parent)
        yield _taken(lock, patience_s)
    finally:
        os.close(lock)


def _taken(lock: int, patience_s: float) -> bool:
    """Take the lock of an open file; whether it came free in time."""
    if math.isinf(patience_s):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return True
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(TRY_S)


def _share(lock: int, folder: Path) -> None:
    """Whoever may write to the folder may use its lock, whatever the umask of its first user."""
    wanted = stat.S_IMODE(folder.stat().st_mode) & 0o022
    mode = stat.S_IMODE(os.fstat(lock).st_mode)
    if wanted & ~mode:
        with suppress(OSError):
            os.fchmod(lock, mode | wanted)


def file_end(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a text; raises an OSError if it cannot be read."""
    # Not to wait for the writer of a pipe that lies there.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read().decode(errors="replace")
