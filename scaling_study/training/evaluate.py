"""Scores of a module on clean images, by the metrics of the run's task."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scaling_study.common.ranks import World
from scaling_study.config.run import RunConfig
from scaling_study.tasks import task_of
from scaling_study.training.distributed import total
from scaling_study.training.input_pipeline.batches import (
    EVALUATION_BATCH,
    TrainingData,
    to_input,
)
from scaling_study.training.numerics import autocast
from scaling_study.training.out_of_memory import gpu_memory_ran_out


@torch.inference_mode()
def evaluate(
    module: nn.Module,
    split: str,
    data: TrainingData,
    layout: torch.memory_format,
    run: RunConfig,
    world: World,
    most: int | None = None,
) -> tuple[dict[str, float], NDArray[np.bool_] | None]:
    """Mean of each metric over the clean images of `split`, and which images are right.

    `split` is val or train; at most `most` of its images are scored, an even selection, and ranks
    share them. Right or wrong is by image, (n,), in the order of the data set; None where the task
    does not say, or images were left out because they are corrupt.

    A batch that does not fit in memory is scored in halves, which changes no score; RuntimeError if
    not even one image fits. ValueError if there are no images; all of them are corrupt.
    """
    module.eval()
    task = task_of(run.task)
    metrics = task.metrics

    forward = forward_of(module, data, layout, run)
    # The metrics and the number of images, on the device: reading one would make a GPU wait. Those
    # of Apple have no float64.
    place = "cpu" if run.device == "mps" else run.device
    sums = torch.zeros(len(metrics) + 1, dtype=torch.float64, device=place)
    parts = 1
    right = _Right(data.evaluated(split, most), world, run.device)
    for pixels, targets in data.evaluation(split, world.rank, world.size, most):
        pixels = pixels.to(run.device, non_blocking=True)
        labels = targets.to(run.device, non_blocking=True)
        outputs, parts = in_parts(forward, pixels, parts)
        found = [metric(outputs, labels).to(place).double() for metric in metrics.values()]
        sums[:-1] += torch.stack(found)
        sums[-1] += len(labels)
        if task.right is not None:
            right.add(task.right(outputs, labels))
    *totals, images = total(sums, world).tolist()
    if not images:
        raise ValueError("no image of the evaluation split could be decoded")
    means = {name: value / images for name, value in zip(metrics, totals, strict=True)}
    return means, right.all() if task.right is not None and images == right.images else None


class _Right:
    """Which of `images` are right: ranks take batches in turn, and each fills in its own."""

    def __init__(self, images: int, world: World, device: str) -> None:
        self.images = images
        self._right = torch.zeros(images, dtype=torch.int32, device=device)
        self._world, self._batch = world, world.rank

    def add(self, right: Tensor) -> None:
        """This rank's next batch."""
        low = self._batch * EVALUATION_BATCH
        self._right[low : low + len(right)] = right
        self._batch += self._world.size

    def all(self) -> NDArray[np.bool_]:
        return total(self._right, self._world).cpu().numpy().astype(bool)


def forward_of(
    module: nn.Module, data: TrainingData, layout: torch.memory_format, run: RunConfig
) -> Callable[[Tensor], Tensor]:
    """The module's outputs (n, outputs) for images (n, channels, side, side), 0 to 255."""

    def forward(pixels: Tensor) -> Tensor:
        batch = to_input(pixels, data.mean, data.std).contiguous(memory_format=layout)
        with autocast(run):
            outputs: Tensor = module(batch)
        return outputs.float()  # metrics sum over many images, for which half precision is coarse

    return forward


def in_parts(forward: Callable[[Tensor], Tensor], pixels: Tensor, parts: int) -> tuple[Tensor, int]:
    """`forward` of all images, in at least `parts` parts, and how many it took."""
    while True:
        try:
            few = min(parts, max(1, len(pixels)))
            return torch.cat([forward(part) for part in pixels.tensor_split(few)]), parts
        except RuntimeError as error:
            if not gpu_memory_ran_out(error) or parts >= len(pixels):
                raise
        # Out of the handler, so that nothing holds the failed pass's activations any more.
        parts *= 2
        torch.cuda.empty_cache()
