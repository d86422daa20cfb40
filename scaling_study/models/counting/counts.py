"""What was counted of a network: asked for here, without torch, and kept by content on disk."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.common.files import no_link
from scaling_study.common.reading import parsed_json, text_in
from scaling_study.models import family_sources
from scaling_study.models.counting import process
from scaling_study.models.family import ModelConfig
from scaling_study.models.memory import Footprint

# Raised whenever a number is counted in another way, so that what is kept is counted anew.
VERSION = 1
FILE = "counts.jsonl"

_kept: dict[Path, dict[str, dict[str, Any]]] = {}
_folders: list[Path] = []


@dataclass(frozen=True)
class Counts:
    """A network's costs for one image: parameters that are trained, forward FLOPs (2 x
    multiply-adds), output elements of convolutions; and the memory of a training step.

    None is what torch cannot count, for the reason in `missing`, or what the network has not.
    """

    params: int
    flops: int | None
    activations: int | None
    memory: Footprint
    missing: str = ""


def keep_counts_in(cache_dir: Path) -> None:
    """Keep counts there from now on; else every process counts anew."""
    _folders[:] = [cache_dir]


@cache
def counts(model: ModelConfig, outputs: int, resolution: int, precision: str) -> Counts:
    """The costs of a family's module for square images of `resolution` px.

    InputError if the family cannot build it, with the family's reason.
    """
    asked = {
        "model": asdict(model),
        "outputs": outputs,
        "resolution": resolution,
        "precision": precision,
    }
    code = family_sources(model.family)
    name = _name({"version": VERSION, "torch": _version(), "code": code, **asked})
    kept = _read(_folders[0] / FILE) if _folders else {}
    if (found := kept.get(name)) is None:
        found = process.count(asked)
        if "refused" not in found and _folders:
            _keep(_folders[0] / FILE, name, found)
        kept[name] = found
    if "refused" in found:
        raise InputError(found["refused"])
    return _counts(found)


@cache
def _version() -> str:
    """Of torch, without loading it."""
    return metadata.version("torch")


def _name(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _counts(found: Mapping[str, Any]) -> Counts:
    memory = dict(found["memory"])
    for part in ("fixed", "per_image"):
        memory[part] = np.array(memory[part], dtype=np.float64)
    return Counts(**{**found, "memory": Footprint(**memory)})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """What a file keeps, by name; lines that are damaged count for nothing."""
    if path not in _kept:
        _kept[path] = {}
        try:
            lines = text_in(path, errors="surrogateescape").split("\n")
        except (OSError, ValueError):
            lines = []
        for line in lines:
            try:
                record = parsed_json(line)
                _counts(record["counts"])
                _kept[path][record["name"]] = record["counts"]
            except (ValueError, KeyError, TypeError):
                continue
    return _kept[path]


def _keep(path: Path, name: str, found: Mapping[str, Any]) -> None:
    """Append to the file; where nothing can be written the next process counts anew."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8", opener=no_link) as file:
            file.write(json.dumps({"name": name, "counts": found}) + "\n")
    except OSError:
        return
