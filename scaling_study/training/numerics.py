"""Which kernels convolutions take on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def fastest(device: str) -> Iterator[None]:
    """On a GPU cuDNN tries its kernels for every shape that is new, and takes the fastest.

    Which one that is may differ between two runs, and with it the last bits of their numbers.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
