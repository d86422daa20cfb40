"""What torch allocates in a training step, as its profiler records it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile


@contextmanager
def group_of_one() -> Iterator[None]:
    """A process group without others, in which DDP holds what it does with them."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def peak_bytes(
    module: nn.Module, batch: int, side: int, precision: str = "fp32", passes: int = 1
) -> int:
    """Most bytes allocated on the CPU in forward and backward, with weights, buffers and images.

    Each of the `passes` is on an equal part of the images.
    """
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.int64)

    def step() -> None:
        for part, known in zip(images.chunk(passes), labels.chunk(passes), strict=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = cross_entropy(module(part), known)
            loss.backward()  # type: ignore[no-untyped-call]
        module.zero_grad(set_to_none=True)

    for _ in range(2):  # DDP makes its buckets anew after the first
        step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    now = most = 0
    for event in profiled.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    lasting = (*module.parameters(), *module.buffers(), images)
    return most + sum(tensor.numel() * tensor.element_size() for tensor in lasting)
