"""Trains the tiny run in one process of several, in float64: what test_ddp starts.

Arguments: folder for results, cache folder, JSON of changes to the tiny run, and of changes to
the trainer: `stop_at` (rank 1 is asked to stop at this step), `fails_at` (it raises there),
`killed_at` (it is gone there, and the kernel says that it has killed a process for memory), `fits`
(most images that fit in its memory), `fits_later` (the same, from the second step on, where all
ranks wait for each other), `piece` (images of a pool that are labelled at a time), `looks_s` (how
often it looks whether another run has labelled the pool).
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.tiny import plain_execution, tiny
from scaling_study.common import stop_request
from scaling_study.common.ranks import leave_if_of_several, world_of
from scaling_study.launch import failure_causes
from scaling_study.launch.job import Job
from scaling_study.training import gradient_accumulation, learning_curve, loop, pseudo_labels


def in_float64() -> None:
    """Rounding then stays far below what the test compares."""
    build, on_device, evaluate = loop.module_for, loop.on_device, loop.evaluate

    def doubled(*arguments: Any) -> Any:
        for images, labels in on_device(*arguments):
            yield images.double(), labels

    def in_float32(module: Any, *arguments: Any, **keywords: Any) -> Any:
        return evaluate(module.float(), *arguments, **keywords)

    loop.evaluate = learning_curve.evaluate = in_float32
    loop.module_for = lambda *network: build(*network).double()
    loop.on_device = doubled


def in_rank_1_at(step: int, act: Callable[[], None]) -> None:
    rate = loop.learning_rate

    def counting(now: int, *arguments: Any) -> float:
        if now == step and os.environ.get("RANK") == "1":
            act()
        return rate(now, *arguments)

    loop.learning_rate = counting


def stop() -> None:
    stop_request.request("interrupted")


def fail() -> None:
    raise ValueError("this one cannot go on")


def be_killed() -> None:
    os._exit(1)


def count_one_more_kill() -> None:
    """As the kernel does for a process that it kills while this one trains."""
    counts = count(1)
    failure_causes.kernel_oom_kills = lambda: next(counts)


def run_out_of_memory_above(fits: int) -> None:
    """As if rank 1 alone, the poorer one, could hold only so many images."""
    passes = gradient_accumulation.MicroBatches._passes

    def limited(self: Any, network: Any, images: Tensor, *rest: Any) -> Tensor:
        if os.environ.get("RANK") == "1" and self.size > fits:
            raise torch.OutOfMemoryError("no memory left")
        return passes(self, network, images, *rest)

    gradient_accumulation.MicroBatches._passes = limited


def run_out_of_memory_later(fits: int) -> None:
    """As if rank 1 had less memory in joint steps than a probe found."""
    backward = gradient_accumulation.MicroBatches.backward

    def limited(self: Any, *arguments: Any) -> Tensor:
        limited.calls += 1  # type: ignore[attr-defined]
        if limited.calls == 2:  # type: ignore[attr-defined]
            run_out_of_memory_above(fits)
        return backward(self, *arguments)

    limited.calls = 0  # type: ignore[attr-defined]
    gradient_accumulation.MicroBatches.backward = limited  # type: ignore[method-assign]


def main() -> None:
    results, cache, changes, more = sys.argv[1:]
    execution = plain_execution(Path(results), Path(cache))
    execution = replace(execution, checkpoint_every_s=1e9, metrics_every_s=0)
    in_float64()
    wanted = json.loads(more)
    if "stop_at" in wanted:
        in_rank_1_at(wanted["stop_at"], stop)
    if "fails_at" in wanted:
        in_rank_1_at(wanted["fails_at"], fail)
    if "killed_at" in wanted:
        count_one_more_kill()
        in_rank_1_at(wanted["killed_at"], be_killed)
    if "fits" in wanted:
        run_out_of_memory_above(wanted["fits"])
    if "piece" in wanted:
        pseudo_labels.PIECE = wanted["piece"]
    if "looks_s" in wanted:
        pseudo_labels.LOOK_S = wanted["looks_s"]
    if "fits_later" in wanted:
        run_out_of_memory_later(wanted["fits_later"])
    print(Job(tiny(**json.loads(changes)), execution)(world_of(os.environ)).status, flush=True)
    leave_if_of_several(0)


if __name__ == "__main__":
    main()
