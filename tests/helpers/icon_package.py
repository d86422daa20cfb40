"""A small package of icons in the form of npm's `@iconify/json`."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scaling_study.data.sets import icon_selection, icons
from scaling_study.data.sets.icon_selection import digest, select

# Names of sets, by the part that their hash puts them into.
TRAIN, TEST = ("aa", "dd", "gg", "hh"), ("bb", "cc")
SHAPES = {"heart": (2, 2, 10, 3), "home": (3, 9, 4, 12), "star-outline": (12, 2, 6, 18)}


def rectangle(x: float, y: float, width: float, height: float) -> str:
    return f'<path fill="currentColor" d="M{x} {y}h{width}v{height}h-{width}z"/>'


def drawn(number: int) -> dict[str, Any]:
    """The icons of a set: each a rectangle of its own size, and a brand, and one that is hidden."""
    shapes = {
        name: {"body": rectangle(x + number / 3, y, width + number, height + 2 * number)}
        for name, (x, y, width, height) in SHAPES.items()
    }
    more = {"github": {"body": rectangle(1, 1, 9, 9)}, "gift": {"body": "", "hidden": True}}
    return {"icons": shapes | more, "width": 24, "height": 24}


def package(folder: Path, more: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> Path:
    """Six permissive sets and `more`, each with what the package says of it and its icons."""
    usual = {"license": {"spdx": "MIT"}, "palette": False, "category": "UI 24px"}
    sets = {name: (usual, drawn(n)) for n, name in enumerate((*TRAIN, *TEST))} | more
    files = {f"json/{name}.json": content for name, (_, content) in sets.items()}
    files["collections.json"] = {name: kind for name, (kind, _) in sets.items()}
    path = folder / icons.PACKAGE
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_small(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the package to a folder; the data set then takes it for the official one."""
    root.mkdir()
    monkeypatch.setattr(icon_selection, "N_CLASSES", 3)
    path = package(root, {})
    parts = select(path)
    counts = {
        what: {part: sum(i.concept == what for i in parts[part]) for part in parts}
        for what in ("heart", "home", "star")
    }
    monkeypatch.setattr(icons, "concepts", lambda: counts)
    monkeypatch.setattr(icons, "SELECTION", digest(parts))
    checksum = icons.Checksum("sha512", icons.Checksum("sha512", "").of(path))
    monkeypatch.setattr(icons, "_checksum", lambda: checksum)
