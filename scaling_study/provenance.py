"""Which code ran: commit of the checkout, and versions of what decides the numbers."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version

from scaling_study import __version__
from scaling_study.paths import PACKAGE


def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package runs from, and whether it has changes.

    (None, None) when it runs from a wheel or git is not there.
    """
    if not (PACKAGE.parent / ".git").exists():
        return None, None
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain")
    return commit or None, None if changes is None else bool(changes)


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(PACKAGE.parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def versions() -> dict[str, str]:
    """Versions of Python, torch and this package; nothing is imported for it."""
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "scaling_study": __version__,
    }
