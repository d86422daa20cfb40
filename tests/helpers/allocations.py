"""What torch allocates in a training step, as its profiler records it."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile


def peak_bytes(module: nn.Module, batch: int, side: int, precision: str = "fp32") -> int:
    """Most bytes allocated on the CPU in forward and backward, with weights, buffers and images."""
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.int64)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = cross_entropy(module(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        module.zero_grad(set_to_none=True)

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
