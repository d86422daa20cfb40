"""The code that queued jobs run: a copy of the package, made when they are submitted."""

import hashlib
import os
import shutil
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.paths import PACKAGE
from scaling_study.config.execution import ExecutionConfig


def refuse_dirty(execution: ExecutionConfig, allow_dirty: bool) -> None:
    """Only code that a commit tells is submitted, unless `allow_dirty`.

    Raises:
        InputError: the checkout has uncommitted changes, and those are not allowed.
    """
    if execution.git_dirty and not allow_dirty:
        raise InputError(
            "launcher.allow_dirty=false: the checkout has uncommitted changes, which no commit "
            "would tell; commit them, or submit with launcher.allow_dirty=true"
        )


def freeze(execution: ExecutionConfig, folder: Path) -> Path:
    """A folder for PYTHONPATH under `folder` with this package as it is now; named by commit and
    content, so that equal code is copied once."""
    files = sorted(path for path in PACKAGE.rglob("*") if _is_code(path))
    name = (execution.git_commit or "installed")[:12] + ("-dirty" if execution.git_dirty else "")
    target = folder / f"{name}-{_digest(files)}"
    if not target.is_dir():
        partial = folder / f".{target.name}.{os.getpid()}"
        for path in files:
            copy = partial / PACKAGE.name / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        try:
            partial.rename(target)
        except OSError:  # another call was faster
            shutil.rmtree(partial)
    return target.resolve()


def _is_code(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
