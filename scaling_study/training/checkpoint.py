"""RUN/checkpoint.pt and checkpoint.prev.pt: replaced whole, read without executing anything."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import torch
from torch import Tensor

from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing

# What a checkpoint holds; `optimizer` is None after the last step. Random generators and the
# position in the data are not stored, because they follow from the run id and the step.
KEYS = {
    *("run_id", "world_size", "step", "model", "ema", "optimizer", "scaler", "halvings"),
    *("step_times", "waits", "loss", "wall_s"),
}
# Checkpointing takes at most 1 / this of a run's time, however slow the disk.
SPACING = 20
NAMES = ("checkpoint.pt", "checkpoint.prev.pt")


class Checkpoints:
    """Writes checkpoints of a run in a background thread; `due` says when the next one may be.

    `fence` is called before one replaces another, and raises if that is not to happen.
    """

    def __init__(
        self, run_dir: Path, every_s: float, fence: Callable[[], None] = lambda: None
    ) -> None:
        self.path, self.previous = (run_dir / name for name in NAMES)
        self._fence = fence
        self._every_s, self._last, self._cost = every_s, time.monotonic(), 0.0
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None
        # Whether checkpoint.pt is whole: a damaged one must not replace the previous one.
        self._good = False

    @property
    def busy(self) -> bool:
        """Whether one is being written at this moment."""
        return self._writing is not None and not self._writing.done()

    def due(self) -> bool:
        """Whether enough time has passed since the last checkpoint was written."""
        waited = time.monotonic() - self._last
        return not self.busy and waited >= max(self._every_s, SPACING * self._cost)

    def save(self, state: dict[str, Any]) -> None:
        """Copy `state` and return; a thread writes the copy, and keeps the checkpoint before it: a
        crash at any moment leaves one of them whole. OSError if that one could not be written.
        """
        self.finish()
        start = time.monotonic()
        self._writing = self._writer.submit(self._write, copied(state), start)

    def finish(self) -> None:
        """Wait until what was saved is on disk; OSError if it could not be written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self) -> None:
        self._writer.shutdown()

    def keep(self, state: dict[str, Any], path: Path) -> None:
        """Write `state` to another file, which is whole and on disk before any later checkpoint."""
        self.finish()
        with replacing(path) as file:
            _save(state, file)
            self._fence()

    def _write(self, state: dict[str, Any], start: float) -> None:
        with replacing(self.path) as file:
            _save(state, file)
            file.flush()
            os.fsync(file.fileno())
            self._fence()
            if self._good and self.path.exists():
                os.replace(self.path, self.previous)
        self._good = True
        self._last = time.monotonic()
        self._cost = self._last - start

    def load(
        self, run_id: str, world_size: int | None = None, model: Mapping[str, Tensor] | None = None
    ) -> dict[str, Any] | None:
        """The newest usable state of `run_id`, of `world_size` processes and with the tensors of
        `model`, if these are given. None, with a line in the log, if no checkpoint can be used.
        InputError if it is that of another number of processes, which train differently.
        """
        there = [path for path in (self.path, self.previous) if path.exists()]
        for path in there:
            if isinstance(state := read_state(path, run_id, model), dict):
                self._good = path == self.path
                began = state["world_size"]
                if world_size not in (None, began):
                    raise InputError(
                        f"{path} is of a run in {began} process(es), which would end otherwise in "
                        f"{world_size}; start {began} (torchrun --nproc-per-node {began} …), or "
                        f"remove {' and '.join(NAMES)} there to begin again"
                    )
                return state
            then = "starting again" if path == there[-1] else "falling back"
            print(f"warning: {path.name} is {state}; {then}", flush=True)
        return None


class _Heard:
    """A file that remembers why it took no more: torch says only that it did not."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _save(state: dict[str, Any], file: BinaryIO) -> None:
    heard = _Heard(file)
    try:
        torch.save(state, heard)  # type: ignore[arg-type]
    except RuntimeError:
        if heard.error is None:
            raise
        raise heard.error from None


def copied(state: Any) -> Any:
    """`state` with every tensor copied to the CPU, so that training may go on."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [copied(value) for value in state]
    return state


def read_state(path: Path, run_id: str, model: Mapping[str, Tensor] | None) -> dict[str, Any] | str:
    """The state of a run in `path`, or why it cannot be used."""
    try:
        with ZipFile(path) as parts:  # torch's format; it does not look at the checksums itself
            if (damaged := parts.testzip()) is not None:
                return f"damaged (in {damaged})"
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can raise anything
        return f"unreadable ({error})"
    if not isinstance(state, dict) or not state.keys() >= KEYS or state["run_id"] != run_id:
        return "of another run"
    if model is not None and not all(_same_shapes(state[part], model) for part in ("model", "ema")):
        return "of another network"
    return state


def _same_shapes(stored: object, model: Mapping[str, Tensor]) -> bool:
    if not isinstance(stored, dict) or stored.keys() != model.keys():
        return False
    return all(stored[name].shape == tensor.shape for name, tensor in model.items())
