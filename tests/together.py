"""Trains the tiny run in one process of several, in float64: what test_ddp starts.

Arguments: folder for results, cache folder, JSON of changes to the tiny run, and of changes to
the trainer: `stop_at` (rank 1 is asked to stop at this step), `fits` (most images that fit).
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from conftest import plain_setting
from scaling_study.launch.job import Job
from scaling_study.training import loop, micro_batches, stopping
from scaling_study.world import leave_if_of_several
from tiny import tiny


def in_float64() -> None:
    """Rounding then stays far below what the test compares."""
    build, on_device, evaluate = loop.build, loop.on_device, loop.evaluate

    def doubled(*arguments: Any) -> Any:
        for images, labels in on_device(*arguments):
            yield images.double(), labels

    def in_float32(module: Any, *arguments: Any) -> Any:
        return evaluate(module.float(), *arguments)

    loop.evaluate = in_float32
    loop.build = lambda layers: build(layers).double()
    loop.on_device = doubled


def ask_to_stop_at(step: int) -> None:
    rate = loop.learning_rate

    def counting(now: int, *arguments: Any) -> float:
        if now == step and os.environ.get("RANK") == "1":
            stopping.request("interrupted")
        return rate(now, *arguments)

    loop.learning_rate = counting


def run_out_of_memory_above(fits: int) -> None:
    """As if rank 1 alone, the poorer one, could hold only so many images."""
    passes = micro_batches.MicroBatches._passes

    def limited(self: Any, network: Any, images: Tensor, *rest: Any) -> Tensor:
        if os.environ.get("RANK") == "1" and self.size > fits:
            raise torch.OutOfMemoryError("no memory left")
        return passes(self, network, images, *rest)

    micro_batches.MicroBatches._passes = limited


def main() -> None:
    results, cache, changes, more = sys.argv[1:]
    setting = plain_setting(Path(results), Path(cache))
    setting = replace(setting, checkpoint_every_s=1e9, metrics_every_s=0)
    in_float64()
    wanted = json.loads(more)
    if "stop_at" in wanted:
        ask_to_stop_at(wanted["stop_at"])
    if "fits" in wanted:
        run_out_of_memory_above(wanted["fits"])
    print(Job(tiny(**json.loads(changes)), setting)().status, flush=True)
    leave_if_of_several(0)


if __name__ == "__main__":
    main()
