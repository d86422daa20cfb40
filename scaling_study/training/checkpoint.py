"""RUN/checkpoint.pt: replaced whole, read without executing anything."""

import os
import pickle
import time
from pathlib import Path
from typing import Any

import torch

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

    def load(self, run_id: str) -> dict[str, Any] | None:
        """The stored state of `run_id`; None, with a line in the log, if there is none to use."""
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            print(f"unreadable checkpoint, starting again: {error}", flush=True)
            return None
        if not isinstance(state, dict) or state.get("run_id") != run_id:
            print("checkpoint of another run, starting again", flush=True)
            return None
        return state
