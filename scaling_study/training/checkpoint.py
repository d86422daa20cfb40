"""RUN/checkpoint.pt: replaced whole, read without executing anything."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# What a checkpoint holds; `optimizer` is None after the last step.
KEYS = {"run_id", "step", "model", "ema", "optimizer", "step_times", "waits", "loss", "wall_s"}
# Checkpointing takes at most 1 / this of a run's time, however slow the disk.
SPACING = 20


class Checkpoints:
    """Writes a run's checkpoint now and then; `due` paces it."""

    def __init__(self, run_dir: Path, every_s: float) -> None:
        self.path = run_dir / "checkpoint.pt"
        self._every_s = every_s
        self._last, self._cost = time.monotonic(), 0.0

    def due(self) -> bool:
        """Whether enough time has passed since the last checkpoint was written."""
        return time.monotonic() - self._last >= max(self._every_s, SPACING * self._cost)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint by `state`; a crash leaves the old one or the new one."""
        start = time.monotonic()
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        self._last = time.monotonic()
        self._cost = self._last - start

    def load(self, run_id: str, model: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """The stored state of `run_id`, whose model has the tensors of `model`.

        None, with a line in the log, if there is no checkpoint that can be used.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged bytes can raise anything; the run then starts again
            print(f"unreadable checkpoint, starting again: {error}", flush=True)
            return None
        if not isinstance(state, dict) or not state.keys() >= KEYS or state["run_id"] != run_id:
            print("checkpoint of another run, starting again", flush=True)
            return None
        if not all(_same_shapes(state[part], model) for part in ("model", "ema")):
            print("checkpoint of another network, starting again", flush=True)
            return None
        return state


def _same_shapes(stored: object, model: Mapping[str, Tensor]) -> bool:
    return (
        isinstance(stored, dict)
        and stored.keys() == model.keys()
        and all(stored[name].shape == tensor.shape for name, tensor in model.items())
    )
