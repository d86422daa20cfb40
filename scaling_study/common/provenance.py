"""Which code ran: commit of the checkout, and versions of what decides the numbers."""

import platform
import subprocess
from functools import cache
from pathlib import Path

from scaling_study import __version__
from scaling_study.common.paths import PACKAGE

# Where files that git does not know yet are part of what runs.
CODE = ("scaling_study/", "conf/", "sweeps/")


def git_state() -> tuple[str | None, bool | None]:
    """Commit of this package's checkout, and whether it has changes; None for both without git."""
    checkout = PACKAGE.parent
    if not (checkout / ".git").exists():
        return None, None
    return git(checkout, "rev-parse", "HEAD") or None, changed(checkout)


def changed(checkout: Path) -> bool | None:
    """Whether there are uncommitted changes; of files that git does not know, in `CODE` alone."""
    text = git(checkout, "status", "--porcelain", "-z")
    if text is None:
        return None
    entries = filter(None, text.split("\0"))
    return any(entry[:2] != "??" or entry[3:].startswith(CODE) for entry in entries)


def git(checkout: Path, *arguments: str) -> str | None:
    """What a git command prints there; None where it fails, or where there is no git."""
    command = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def versions() -> dict[str, str]:
    """Versions of Python, torch and this package, which are not imported for it."""
    from importlib.metadata import version

    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "scaling_study": __version__,
    }
