"""Whole runs on a GPU, for `gpu.py`: side by side, stopped and continued, without enough memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.training import composed
from benchmarks.untracked import execution_in
from scaling_study.common import stop_request
from scaling_study.training.loop import train

if TYPE_CHECKING:
    from benchmarks.gpu import Bench

ROOT = Path(__file__).resolve().parent.parent
# Runs of the default study, of the shorter length.
STUDY = ("+grid=depth_vs_width", "grid.axes={epochs: [4], seed: [0]}", "measure.at_end=false")
# A run of seconds, and one whose batch needs some GB.
SHORT = ("model.depth=26", "model.width=0.5", "train.batch_size=64", "train.epochs=4")
LARGE = ("model.depth=50", "model.width=1", "data.resolution=128", "train.batch_size=256")
FEW = ("data.train_per_class=16", "data.val_per_class=8")
LIMIT_BYTES = 4e9


def sharing(bench: Bench) -> dict[str, Any]:
    """Seconds of a study with one run at a time and with two; above 1 means that two are faster."""
    seconds = {slots: _study_s(bench, slots) for slots in (1, 2)}
    return {"one_s": seconds[1], "two_s": seconds[2], "one_over_two": seconds[1] / seconds[2]}


def _study_s(bench: Bench, slots: int) -> float:
    at_once = "launcher.slots_per_gpu" if bench.device == "cuda" else "launcher.slots"
    with tempfile.TemporaryDirectory() as folder:
        words = (*STUDY, f"device={bench.device}", f"{at_once}={slots}", f"results_dir={folder}")
        command = [sys.executable, "-m", "scaling_study.sweep", *words]
        start = time.monotonic()
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return time.monotonic() - start


class _Stopper:
    """A sink that asks the run to stop after its first epoch."""

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        stop_request.request("interrupted")

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass


def resuming(bench: Bench) -> dict[str, float]:
    """Errors of a run that was stopped after an epoch and of the same undisturbed.

    Some kernels add in another order each time, so on a GPU they need not be equal.
    """
    run = composed(*SHORT, *FEW, f"device={bench.device}", precision=bench.precision)
    with tempfile.TemporaryDirectory() as folder:
        execution = execution_in(folder, keep="final")
        whole, parts = Path(folder, "whole"), Path(folder, "parts")
        for run_dir in (whole, parts):
            run_dir.mkdir()
        undisturbed = train(run, whole, execution)
        try:
            train(run, parts, execution, sinks=[lambda first: _Stopper()])
        except stop_request.Stopped:
            stop_request.clear()
        resumed = train(run, parts, execution)
    return {"undisturbed_error": undisturbed["val_error"], "resumed_error": resumed["val_error"]}


def filling(bench: Bench) -> dict[str, Any]:
    """A run that does not fit into the memory that it may have: it halves its micro-batches."""
    if bench.device != "cuda":
        return {"left_out": "torch limits the memory of a GPU alone"}
    run = composed(*LARGE, *FEW, "train.epochs=1", "device=cuda", precision=bench.precision)
    _, there = torch.cuda.mem_get_info()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, LIMIT_BYTES / there))
    try:
        with tempfile.TemporaryDirectory() as folder:
            measured = train(run, Path(folder), execution_in(folder))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    names = ("status", "memory_halvings", "micro_batch_size", "peak_memory_bytes")
    return {name: measured[name] for name in names} | {"limit_bytes": LIMIT_BYTES}


def tests(bench: Bench) -> dict[str, Any]:
    """The last line of the tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "gpu", "tests"]
    left_s = max(1.0, bench.left_s)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=left_s)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return {"exit_code": done.returncode, "said": lines[-1] if lines else ""}
