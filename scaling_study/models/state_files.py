"""State dicts in files: .safetensors, else torch's own format; nothing in them is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MOST_LISTED = 3
UNREADABLE = "is no state dict that can be read"


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
    import pickle

    import torch
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # its own message advises to load such a file unsafely
        raise InputError(f"{file} {UNREADABLE} (nothing but tensors is read)") from None
    except Exception as error:  # damaged bytes can raise anything
        reason = f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")
        raise InputError(f"{file} {UNREADABLE} ({reason})") from None
    # Training scripts keep the weights under one of these.
    for part in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(part), dict):
            state = state[part]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(tensor, torch.Tensor) for key, tensor in state.items()
    ):
        raise InputError(f"{file} holds something else than a state dict")
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
