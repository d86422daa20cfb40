"""Batches from where they are made to where they are used."""

from collections.abc import Iterator

import torch
from torch import Tensor

from scaling_study.training.batches import Batches
from scaling_study.world import World

Batch = tuple[Tensor, Tensor]


def shares(batches: Batches, first: int, last: int, world: World) -> Iterator[Batch]:
    """This rank's images and labels of each global batch, of the steps from `first` to `last` - 1.

    Together the ranks see the same images at a step, however many they are.
    """
    for step in range(first, last):
        images, labels = batches[step]
        share = len(labels) // world.size
        mine = slice(world.rank * share, (world.rank + 1) * share)
        yield images[mine], labels[mine]


def on_device(
    batches: Iterator[Batch], device: str, layout: torch.memory_format
) -> Iterator[Batch]:
    """The batches on `device`; on a GPU the next one is copied while a step computes."""
    if device != "cuda":
        for images, labels in batches:
            yield images.contiguous(memory_format=layout), labels
        return
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    coming = _copied(batches, layout, stream)
    while coming is not None:
        torch.cuda.current_stream().wait_stream(stream)
        for tensor in coming:
            # Its memory may be used again only when the step that reads it is through.
            tensor.record_stream(torch.cuda.current_stream())
        batch, coming = coming, _copied(batches, layout, stream)
        yield batch


def _copied(
    batches: Iterator[Batch], layout: torch.memory_format, stream: torch.cuda.Stream
) -> Batch | None:
    """The next batch on its way to the GPU, or None behind the last."""
    if (batch := next(batches, None)) is None:
        return None
    images, labels = (part.pin_memory() for part in batch)
    with torch.cuda.stream(stream):
        there = images.to("cuda", non_blocking=True).contiguous(memory_format=layout)
        return there, labels.to("cuda", non_blocking=True)
