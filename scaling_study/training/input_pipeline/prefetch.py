"""Batches on the device: on a GPU the next one is copied while a step computes."""

from collections.abc import Iterator

import torch

from scaling_study.training.input_pipeline.batches import Batch, TrainingData, to_input


def on_device(
    batches: Iterator[Batch], data: TrainingData, device: str, layout: torch.memory_format
) -> Iterator[Batch]:
    """Normalised images (n, 3, side, side) and labels (n,) of each batch, on `device`."""
    if device != "cuda":
        for pixels, labels in batches:
            yield to_input(pixels, data.mean, data.std).contiguous(memory_format=layout), labels
        return
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def coming() -> Batch | None:
        """The next batch on its way to the GPU, or None behind the last."""
        if (batch := next(batches, None)) is None:
            return None
        with torch.cuda.stream(stream):
            pixels, labels = (part.to("cuda", non_blocking=True) for part in batch)
            return to_input(pixels, data.mean, data.std).contiguous(memory_format=layout), labels

    following = coming()
    while (batch := following) is not None:
        torch.cuda.current_stream().wait_stream(stream)
        for tensor in batch:
            # Its memory may be used again only when the step that reads it is through.
            tensor.record_stream(torch.cuda.current_stream())
        following = coming()
        yield batch
