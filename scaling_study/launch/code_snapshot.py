"""The code that queued jobs run: a copy of the package and of a user's own modules.

It is made when jobs are submitted, so that they run the same code whatever is edited meanwhile.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from scaling_study.common.errors import InputError
from scaling_study.common.paths import PACKAGE
from scaling_study.common.source import is_installed, source_files
from scaling_study.common.verify import digest_of, why_not_own
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.program import frozen_files
from scaling_study.config.run import RunConfig


def refuse_dirty(execution: ExecutionConfig, allow_dirty: bool) -> None:
    """Raise an InputError for code that no commit identifies, unless `allow_dirty`."""
    if execution.git_dirty and not allow_dirty:
        raise InputError(
            "launcher.allow_dirty=false: the checkout has uncommitted changes, which no commit "
            "would tell; commit them, or submit with launcher.allow_dirty=true"
        )


class Snapshot(NamedTuple):
    """A folder of frozen code for PYTHONPATH, and the digest of what is in it."""

    folder: Path
    digest: str


def freeze(execution: ExecutionConfig, folder: Path, runs: Sequence[RunConfig] = ()) -> Snapshot:
    """A snapshot under `folder` with this package and a user's modules as of now.

    These are the modules that are imported, and the sources of `runs`. It is named by commit and
    content, so that equal code is copied once. InputError if what lies there is something else, or
    others may change it.
    """
    files = dict(sorted({**dict(_sources(runs)), **dict(_code(execution))}.items()))
    name = (execution.git_commit or "installed")[:12] + ("-dirty" if execution.git_dirty else "")
    digest = digest_of(files)
    target = folder.resolve() / f"{name}-{digest[:10]}"
    if not target.is_dir():
        _copy(files, target)
    if (reason := why_not_own(target, digest)) is not None:
        raise InputError(f"launcher: the code in {target} is not submitted: {reason}")
    return Snapshot(target, digest)


def _copy(files: Mapping[str, Path], target: Path) -> None:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        for relative, path in files.items():
            copy = partial / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for place in (partial, *partial.rglob("*")):
            place.chmod(place.stat().st_mode & ~0o022)  # whatever this shell's umask is
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # another call was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _code(execution: ExecutionConfig) -> Iterator[tuple[str, Path]]:
    """Files of the package and of a user's top-level modules, by their paths in the snapshot."""
    yield from _files(PACKAGE, ())
    data = tuple(Path(path).resolve() for path in (execution.results_dir, execution.cache_dir))
    for module in _user_modules():
        if not hasattr(module, "__path__"):
            yield Path(str(module.__file__)).name, Path(str(module.__file__))
        for path in getattr(module, "__path__", ()):
            yield from _files(Path(path), data)


def _sources(runs: Sequence[RunConfig]) -> Iterator[tuple[str, Path]]:
    """What is in the identity of runs, whether it is imported by now or only in training."""
    programs = {run.program.text: run.program for run in runs if run.program}
    for program in programs.values():
        yield from frozen_files(program).items()
    ours = [run for run in runs if run.program is None]
    parts = {str(part) for run in ours for part in (run.model.family, run.data.name, run.task)}
    for module in sorted(name for name in parts if "." in name):
        for name, path in source_files(module).items():
            if not is_installed(path):
                path_to = name.split(".")
                inside = path.stem == "__init__"
                above = path_to if inside else path_to[:-1]
                yield str(Path(*above, path.name)), path


def _files(package: Path, without: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """A package's files, except caches, what is hidden, and the folders `without`."""
    for folder, folders, names in os.walk(package):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and name[0] != "." and (here / name).resolve() not in without
        ]
        for path in (here / name for name in names):
            if path.is_file():
                yield str(package.name / path.relative_to(package)), path


def _user_modules() -> Iterator[ModuleType]:
    """Imported top-level modules that are not this project, not of Python, and not installed."""
    ours = {PACKAGE.name, "analysis", "__main__", "__mp_main__"}
    names = {name.partition(".")[0] for name in [*sys.modules]} - ours - sys.stdlib_module_names
    for module in (sys.modules.get(name) for name in sorted(names)):
        places = [*getattr(module, "__path__", ()), getattr(module, "__file__", None)]
        paths = [Path(place) for place in places if place]
        installed = any(map(is_installed, paths))  # a job imports it from there
        if module is not None and paths and not installed:
            yield module
