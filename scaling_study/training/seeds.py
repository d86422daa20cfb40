"""Where a run's random numbers come from."""

import hashlib

import torch


def seed_of(key: str, purpose: str, number: int = 0) -> int:
    """A 63-bit seed that no other key (of a run), purpose or number shares."""
    digest = hashlib.sha256(f"{key}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(key: str, purpose: str, number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(key, purpose, number))
