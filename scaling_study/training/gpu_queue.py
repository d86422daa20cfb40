"""What a GPU does by itself: it works off a queue, and draws from a generator of its own."""

import torch

SYNCHRONIZE = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
SEED = {"cuda": torch.cuda.manual_seed, "mps": torch.mps.manual_seed}


def queues(device: str) -> bool:
    """Whether steps are queued on this device (cpu, cuda, mps), and a clock does not see them."""
    return device in SYNCHRONIZE


def synchronize(device: str) -> None:
    """Wait until the device has done all that it was asked for."""
    if device in SYNCHRONIZE:
        SYNCHRONIZE[device]()


def seed(device: str, number: int) -> None:
    """Seed the generators that dropout and stochastic depth draw from, here and on the device."""
    # torch.manual_seed would note a stack trace for absent GPUs.
    torch.default_generator.manual_seed(number)
    if device in SEED:
        SEED[device](number)
