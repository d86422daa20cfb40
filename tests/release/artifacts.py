"""Source distribution and wheel: built twice, from different places, equal to the last byte."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def source_date() -> str:
    """When the commit that is checked out was made, in s since 1970."""
    words = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def build(source: Path, folder: Path, date: str) -> list[Path]:
    """A source distribution and the wheel made from it."""
    words = [sys.executable, "-m", "build", "--no-isolation", "-o", str(folder), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": date}
    subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.iterdir())


def built_twice(folder: Path) -> tuple[list[Path], Mapping[str, tuple[str, str]]]:
    """The files, and those that differ: built from the checkout, and from what that published."""
    date = source_date()
    shutil.rmtree(folder, ignore_errors=True)
    first = build(ROOT, folder / "first", date)
    (sdist,) = (path for path in first if path.name.endswith(".tar.gz"))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    second = build(source, folder / "second", date)
    pairs = {a.name: (digest(a), digest(b)) for a, b in zip(first, second, strict=True)}
    return first, {name: both for name, both in pairs.items() if both[0] != both[1]}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
