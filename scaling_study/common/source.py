"""The identity of a user's code: a hash of its files and of what they import beside them."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def source_files(starts: Iterable[Path]) -> list[Path]:
    """These files, and the Python modules beside them that they import, directly or not; sorted.

    "Beside" means below the folder of the file that imports; packages installed elsewhere are not
    followed. A file that Python cannot parse imports nothing.
    """
    waiting, found = [path.resolve() for path in starts], set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path) if path.suffix == ".py" else []
    return sorted(found)


def source_digest(starts: Iterable[Path]) -> str:
    """Hash of the contents of `source_files`, of their names but not of where they lie."""
    whole = hashlib.sha256()
    for path in source_files(starts):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.name} {content}\n".encode())
    return whole.hexdigest()[:16]


def _imported(path: Path) -> list[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names |= {base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)}
    return [found for name in names if name and (found := _beside(path.parent, name))]


def _beside(folder: Path, module: str) -> Path | None:
    """The file of a module below `folder`; None if it is not there."""
    stem = folder.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path.resolve()
    return None
