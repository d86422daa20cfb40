"""Whether code on a disk is what its submitter wrote there, and nobody else may change it.

A batch script has the text of this file and runs it before anything of that code is imported, so it
needs nothing but Python: `python -I -c TEXT FOLDER DIGEST MODULE …` ends, or becomes `python -m
MODULE …`.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

# The number of hexadecimal digits of a digest.
DIGITS = 32


def why_shared(folder: Path) -> str | None:
    """Why somebody else could put other files into a folder; None if nobody but root can.

    It and what it lies in must belong to this user or to root, and be writable for nobody else;
    like /tmp a folder above may be where only its own entries are anybody's to rename.
    """
    for place in (folder, *folder.parents):
        try:
            found = place.lstat()
        except OSError as error:
            return f"{place}: {error.strerror}"
        if not stat.S_ISDIR(found.st_mode):
            return f"{place} is no folder"
        others = found.st_mode & 0o022
        if found.st_uid not in ((os.getuid(),) if place == folder else (os.getuid(), 0)):
            return f"{place} belongs to another user (uid {found.st_uid})"
        if others and (place == folder or not found.st_mode & stat.S_ISVTX):
            return f"others may write to {place}"
    return None


def digest_of(files: Mapping[str, Path]) -> str:
    """SHA-256 over the names and contents of files, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).digest()
        digest.update(f"{name}\0".encode() + content)
    return digest.hexdigest()[:DIGITS]


def files_in(folder: Path) -> dict[str, Path]:
    """The files below a folder by their names in it, without what Python compiles."""
    return {str(p.relative_to(folder)): p for p in _below(folder) if not p.is_dir()}


def why_not_own(folder: Path, digest: str) -> str | None:
    """Why what a folder holds is not what was submitted; None if it is, and nobody may change it.

    `digest` is that of `digest_of`.
    """
    if (shared := why_shared(folder)) is not None:
        return shared
    for path in _below(folder):
        found = path.lstat()
        # A link's own permissions mean nothing, and it may lead to files of anybody.
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            return f"{path} is a link, another user's, or writable for others"
    if digest_of(files_in(folder)) != digest:
        return f"{folder} does not hold what was submitted"
    return None


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(place, name) for name in (*folders, *names))


if __name__ == "__main__":
    if (reason := why_not_own(Path(sys.argv[1]), sys.argv[2])) is not None:
        sys.exit(f"not run: {reason}")
    os.execv(sys.executable, [sys.executable, "-u", "-m", *sys.argv[3:]])
