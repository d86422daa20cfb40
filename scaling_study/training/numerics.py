"""How a run's numbers are computed: its precision, and the kernels of its convolutions."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from scaling_study.config.run import RunConfig

# What autocast computes in; fp32 is without it.
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(run: RunConfig) -> AbstractContextManager[None]:
    """Inside, forward passes are in the run's precision: of training, evaluation and timing."""
    dtype = AUTOCAST.get(run.precision)
    return torch.autocast(run.device, dtype, enabled=dtype is not None)


def gradient_scaler(run: RunConfig) -> torch.amp.GradScaler:
    """Keeps gradients within the range of fp16, which is small; it does nothing for the others."""
    return torch.amp.GradScaler(run.device, enabled=run.precision == "fp16")


@contextmanager
def tuned_convolutions(device: str) -> Iterator[None]:
    """On a GPU cuDNN tries its kernels for every new shape, and takes the fastest.

    Two runs may get different ones, and with them different last bits of their numbers.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
