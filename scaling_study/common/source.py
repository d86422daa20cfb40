"""The source code of modules outside this package: which files it is in, and what it says.

A module is identified by its own source and by that of the modules beside it that it imports, at
its top or inside functions: those that lie below the same entry of the import path. What is
installed counts as beside a module only within the same package, Python's library and this project
never.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from scaling_study.common.extensions import module_called
from scaling_study.common.paths import PACKAGE

OURS = {PACKAGE.name, "analysis"}
# Where installed code lies, whatever the prefix.
INSTALLED = {"site-packages", "dist-packages"}
# Hex digits of a source's SHA-256 that a run keeps.
DIGITS = 16


def is_installed(path: Path) -> bool:
    """Whether a file or folder is that of an installed package, or of Python's own library."""
    return bool(INSTALLED & {*path.parts}) or path.is_relative_to(sysconfig.get_path("stdlib"))


@cache
def source_files(module: str) -> dict[str, Path]:
    """The files of `module` and of the modules beside it that it imports, by module name, sorted.

    Empty for a module of this project, and for one that has no file.
    """
    found = module_called(module, "") if module.partition(".")[0] not in OURS else None
    if found is None or not getattr(found, "__file__", None):
        return {}
    own = Path(str(found.__file__)).resolve()
    root = import_root(module, own)
    within = module.partition(".")[0] if is_installed(own) else ""
    return dict(sorted(_reached(root, [module], within).items()))


def files_of_script(path: Path) -> set[Path]:
    """A file that a program's command names; of a script also the modules beside it it imports."""
    path = path.resolve()
    imported = _imported("", path) if path.suffix == ".py" else ()
    return {path, *_reached(path.parent, imported).values()}


def files_of_module(module: str, path: Path) -> set[Path]:
    """The file of a module that is not imported here, and the modules beside it that it imports.

    An `__init__.py` that says nothing is none of them.
    """
    path = path.resolve()
    reached = _reached(import_root(module, path), [module]).values()
    return {path} | {file for file in reached if file.stat().st_size}


def import_root(module: str, path: Path) -> Path:
    """The entry of the import path below which `path` is the file of `module`."""
    package = path.stem in ("__init__", "__main__") and module.rpartition(".")[2] != path.stem
    return path.parents[len(module.split(".")) - 1 + package]


def program_digest(files: Iterable[Path]) -> str:
    """Of the files of a program: their names and what they say, but not where they lie."""
    named = "".join(f"{path.name} {digest(path)}\n" for path in sorted(files))
    return hashlib.sha256(named.encode()).hexdigest()[:DIGITS]


def _reached(root: Path, modules: Iterable[str], within: str = "") -> dict[str, Path]:
    """The files below `root` of these modules and of those that they import, by module name.

    Those of the package `within` alone, if given.
    """
    files: dict[str, Path] = {}
    to_do = [*modules]
    while to_do:
        name = to_do.pop()
        path = _file(root, name)
        if name in files or path is None or (within and name.partition(".")[0] != within):
            continue
        files[name] = path
        to_do += [*_parents(name), *_imported(name, path)]
    return files


@cache
def sources_of(module: str) -> dict[str, str]:
    """Digests of the source of each of `source_files`, the start of their SHA-256.

    A process reads a file once, as Python does when it imports it.
    """
    return {name: digest(path) for name, path in source_files(module).items()}


def digest(path: Path) -> str:
    """The start of the SHA-256 of a source; how its lines end does not matter."""
    text = path.read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def _file(root: Path, module: str) -> Path | None:
    """Where a module lies below `root`; None if it does not, or has no code of its own."""
    if module.partition(".")[0] in OURS | sys.stdlib_module_names | {""}:
        return None
    path = root.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return None


def _parents(module: str) -> Iterator[str]:
    """The packages that Python imports before it."""
    while module := module.rpartition(".")[0]:
        yield module


def _imported(module: str, path: Path) -> Iterator[str]:
    """All that a file's import statements may mean by their names: modules, or what is in them."""
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            levels = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*levels, *filter(None, [node.module])]) if node.level else node.module
            assert base is not None
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
