"""State dicts in files: .safetensors, else torch's own format; nothing in them is executed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MOST_LISTED = 3
UNREADABLE = "is no state dict that can be read"
# What training scripts keep weights under, averaged ones first: timm, torchvision, ours.
PARTS = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model")
# Of DistributedDataParallel and torch.compile.
PREFIXES = ("module.", "_orig_mod.")
# How torch names a class that it refuses to make; there are few in a file that is what it seems.
REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed global")
MOST_UNREAD = 50


def write_state(state: Mapping[str, Tensor], file: Path) -> None:
    """Write a state dict; InputError if the file cannot be written."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = {key: tensor.contiguous() for key, tensor in state.items()}
    try:
        if file.suffix == ".safetensors":
            save_file(state, file)
        else:
            torch.save(state, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{file}: cannot be written ({error})") from None


def read_state(file: Path) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU; InputError if it holds something else."""
    return read_checkpoint(file)[0]


def read_checkpoint(file: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The weights in a file, on the CPU, and what else is in it and not used, in words.

    Takes a state dict, or what a training script keeps beside one; averaged weights are preferred.
    Prefixes that wrappers of a network put before each name are removed. Nothing in the file is
    executed: an object that is no tensor, number, text or container of these is left unread.
    InputError if the file holds no weights.
    """
    from safetensors.torch import load_file

    unread: list[str] = []
    try:
        if file.suffix == ".safetensors":
            content: Any = load_file(file)
        else:
            content, unread = _loaded(file)
    except pickle.UnpicklingError:  # its own message advises to load such a file unsafely
        raise InputError(f"{file} {UNREADABLE} (nothing but tensors is read)") from None
    except Exception as error:  # damaged bytes can raise anything
        reason = f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")
        raise InputError(f"{file} {UNREADABLE} ({reason})") from None
    unused = [f"objects of {name}, which are not read" for name in unread]
    if isinstance(content, dict):
        part = next((name for name in PARTS if _is_state(content.get(name))), None)
        if part is not None:
            unused = [*(str(name) for name in content if name != part), *unused]
            content = content[part]
    if not _is_state(content):
        raise InputError(f"{file} holds something else than a state dict")
    return _without_prefix(content), unused


class _Unread:
    """In place of an object that a file names: takes whatever would make it, and does nothing."""

    def __new__(cls, *arguments: object, **keywords: object) -> _Unread:
        return object.__new__(cls)

    def __init__(self, *arguments: object, **keywords: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _loaded(file: Path) -> tuple[Any, list[str]]:
    """What torch.save has written, with `_Unread` for objects, and the names of their classes."""
    import torch

    unread: list[str] = []
    while True:
        stubs: list[Any] = [(_Unread, name) for name in unread]
        try:
            with torch.serialization.safe_globals(stubs):
                return torch.load(file, map_location="cpu", weights_only=True), unread
        except pickle.UnpicklingError as error:
            found = REFUSED.search(str(error))
            # torch names what is built in by its name alone.
            name = found and (found[1] if "." in found[1] else f"builtins.{found[1]}")
            if name is None or name in unread or len(unread) == MOST_UNREAD:
                raise
            unread.append(name)


def _is_state(content: object) -> bool:
    from torch import Tensor

    return isinstance(content, dict) and all(
        isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in content.items()
    )


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of the network that a wrapper has held, by its own names."""
    while state and (prefix := next(iter(state)).partition(".")[0] + ".") in PREFIXES:
        if not all(key.startswith(prefix) for key in state):
            break
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def differences(stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """In what names and shapes differ, in words; empty if they do not."""
    shapes = [
        f"{key} {tuple(stored[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in stored and stored[key].shape != tensor.shape
    ]
    problems = {
        "lacks": [key for key in wanted if key not in stored],
        "has beside them": [key for key in stored if key not in wanted],
        "has": shapes,
    }
    return "; ".join(
        f"it {verb} {', '.join(found[:MOST_LISTED])}"
        + (f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else "")
        for verb, found in problems.items()
        if found
    )
