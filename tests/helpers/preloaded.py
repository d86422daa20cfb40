"""Calls of the C library that fail as those of a damaged or limited machine do."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

FLOCK = """#include <errno.h>
int flock(int file, int how) {{ errno = {number}; return -1; }}
"""


def no_locks(folder: Path, number: int = errno.ENOSYS) -> dict[str, str]:
    """The environment of processes for which no file system has locks."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler here, which makes a disk without locks")
    source, library = folder / "flock.c", folder / "flock.so"
    source.write_text(FLOCK.format(number=number), encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library)}
