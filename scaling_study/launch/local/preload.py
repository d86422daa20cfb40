"""Cheaper forks: what is done here once, in their server, no run does again.

A fork copies the table of a process's pages, and huge pages need 512 times fewer. With torch loaded
that table is most of what a fork and the end of its process cost.
"""

import ctypes
import gc
import io
from pathlib import Path

import torch
from torch import nn

from scaling_study.common.device import device_name
from scaling_study.common.provenance import versions
from scaling_study.models.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalPool,
    Linear,
    Network,
    ReLU,
    Residual,
    SqueezeExcite,
)
from scaling_study.models.modules import build
from scaling_study.study.result import column_types
from scaling_study.training.ema import Ema
from scaling_study.training.optimizers import SGD

# Of <linux/mman.h>, since Linux 6.1: merge now, whatever the setting for huge pages is.
MADV_COLLAPSE = 25
HUGE_BYTES = 2 << 20


def collapse() -> None:
    """Merge this process's private memory into huge pages, where the kernel can; else nothing."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="ascii", errors="replace")
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in maps.splitlines():
        span, mode, *rest = line.split()
        file = rest[3] if len(rest) > 3 else ""
        first, last = (int(end, 16) for end in span.split("-"))
        start, end = -(-first // HUGE_BYTES) * HUGE_BYTES, last // HUGE_BYTES * HUGE_BYTES
        if mode == "rw-p" and file in ("", "[heap]") and start < end:
            advise(start, end - start, MADV_COLLAPSE)


def small_network() -> nn.Module:
    """Layers for images of 16 px that use the kernels which take longest to make.

    oneDNN compiles matrix multiplications, 40 ms, for gradients of convolutions like the last one.
    """
    narrow = Conv(8, 16, 1), BatchNorm(16), ReLU(), Conv(16, 16, 3, 2), BatchNorm(16), ReLU()
    body = (*narrow, Conv(16, 32, 1), BatchNorm(32), SqueezeExcite(32, 8))
    shortcut = (AvgPool(2), Conv(8, 32, 1), BatchNorm(32))
    first = Conv(3, 8, 3), BatchNorm(8), ReLU(), Residual(body, shortcut, (0.1,)), AvgPool(4)
    last = Conv(32, 64, 1), BatchNorm(64), ReLU(), Conv(64, 64, 3, 2), GlobalPool(), Linear(64, 2)
    return build(Network((*first, *last), stride=16))


def train_a_little() -> None:
    """Train a small network for two steps, so that no run sets up torch for its own first ones.

    Only for runs of one thread, because threads of OpenMP do not outlive a fork, and with a torch
    for CPUs alone: any other looks for devices, and starts a thread for each, before its first
    backward pass.
    """
    if torch.get_num_threads() > 1 or torch.accelerator.current_accelerator() is not None:
        return
    with torch.random.fork_rng([]):
        module = small_network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images, labels = torch.rand(8, 3, 16, 16), torch.zeros(8, dtype=torch.long)
        images = images.to(memory_format=torch.channels_last)
        optimizer = SGD(module.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
        ema = Ema(module, limit=0.9)
        for step in range(2):
            loss = nn.functional.cross_entropy(module(images), labels, label_smoothing=0.1)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            ema.update(step)
        with torch.inference_mode():
            module.eval()(images).argmax(1)
    torch.save(ema.state_dict(), io.BytesIO())


train_a_little()
column_types()
versions()
for device in ("cpu", "cuda"):
    device_name(device)
# Collections in the runs would copy all that they share with the server.
gc.collect()
gc.freeze()
collapse()
