"""Batches on the device: on a GPU the next one is copied while a step computes."""

from collections.abc import Iterator

import torch

from scaling_study.training.input_pipeline.batches import Batch, TrainingData, to_input
from scaling_study.training.input_pipeline.make_batch import LoadedBatch


def on_device(
    batches: Iterator[LoadedBatch], data: TrainingData, device: str, layout: torch.memory_format
) -> Iterator[Batch]:
    """Normalised images (n, 3, side, side) and labels (n,) of each batch, on `device`."""

    def inputs(batch: LoadedBatch) -> Batch:
        pixels = batch.pixels.to(device, non_blocking=True)
        labels = batch.labels.to(device, non_blocking=True)
        pixels = pixels if batch.pending is None else batch.pending.done(pixels)
        return to_input(pixels, data.mean, data.std).contiguous(memory_format=layout), labels

    if device != "cuda":
        yield from map(inputs, batches)
        return
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def coming() -> Batch | None:
        """The next batch on its way to the GPU, or None behind the last."""
        if (batch := next(batches, None)) is None:
            return None
        with torch.cuda.stream(stream):
            return inputs(batch)

    following = coming()
    while (batch := following) is not None:
        torch.cuda.current_stream().wait_stream(stream)
        for tensor in batch:
            # Its memory may be used again only when the step that reads it is through.
            tensor.record_stream(torch.cuda.current_stream())
        following = coming()
        yield batch
