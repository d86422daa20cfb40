"""The code that queued jobs run: a copy of the package and of a user's own modules.

It is made when jobs are submitted, so that they run the same code whatever is edited meanwhile.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from scaling_study.common.errors import InputError
from scaling_study.common.paths import PACKAGE
from scaling_study.common.source import is_installed, source_files
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig


def refuse_dirty(execution: ExecutionConfig, allow_dirty: bool) -> None:
    """Raise an InputError for code that no commit identifies, unless `allow_dirty`."""
    if execution.git_dirty and not allow_dirty:
        raise InputError(
            "launcher.allow_dirty=false: the checkout has uncommitted changes, which no commit "
            "would tell; commit them, or submit with launcher.allow_dirty=true"
        )


def freeze(execution: ExecutionConfig, folder: Path, runs: Iterable[RunConfig] = ()) -> Path:
    """A folder for PYTHONPATH under `folder`, with this package and a user's modules as of now.

    These are the modules that are imported, and the sources of `runs`. It is named by commit and
    content, so that equal code is copied once.
    """
    files = dict(sorted({**dict(_sources(runs)), **dict(_code(execution))}.items()))
    name = (execution.git_commit or "installed")[:12] + ("-dirty" if execution.git_dirty else "")
    digest = hashlib.sha256()
    for relative, path in files.items():
        digest.update(f"{relative}\0".encode() + path.read_bytes())
    target = folder / f"{name}-{digest.hexdigest()[:10]}"
    if not target.is_dir():
        partial = folder / f".{target.name}.{os.getpid()}"
        for relative, path in files.items():
            copy = partial / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        try:
            partial.rename(target)
        except OSError:  # another call was faster
            shutil.rmtree(partial)
    return target.resolve()


def _code(execution: ExecutionConfig) -> Iterator[tuple[str, Path]]:
    """Files of the package and of a user's top-level modules, by their paths in the snapshot."""
    yield from _files(PACKAGE, ())
    data = tuple(Path(path).resolve() for path in (execution.results_dir, execution.cache_dir))
    for module in _user_modules():
        if not hasattr(module, "__path__"):
            yield Path(str(module.__file__)).name, Path(str(module.__file__))
        for path in getattr(module, "__path__", ()):
            yield from _files(Path(path), data)


def _sources(runs: Iterable[RunConfig]) -> Iterator[tuple[str, Path]]:
    """What is in the identity of runs, whether it is imported by now or only in training."""
    parts = {part for run in runs for part in (run.model.family, run.data.name, run.task)}
    for module in sorted(name for name in parts if isinstance(name, str) and "." in name):
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
