"""Scores of a module on clean images, by the metrics of the run's task."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from scaling_study.common.ranks import World
from scaling_study.config.run import RunConfig
from scaling_study.tasks import task_of
from scaling_study.training.distributed import total
from scaling_study.training.input_pipeline.batches import TrainingData, to_input
from scaling_study.training.numerics import autocast
from scaling_study.training.out_of_memory import gpu_memory_ran_out


@torch.no_grad()
def evaluate(
    module: nn.Module,
    split: str,
    data: TrainingData,
    layout: torch.memory_format,
    run: RunConfig,
    world: World,
) -> dict[str, float]:
    """Mean of each metric over the clean images of `split`, val or train; ranks share them.

    A batch that does not fit in memory is scored in halves, which changes no score; RuntimeError if
    not even one image fits. ValueError if there are no images; all of them are corrupt.
    """
    module.eval()
    metrics = task_of(run.task).metrics

    def forward(pixels: Tensor) -> Tensor:
        batch = to_input(pixels, data.mean, data.std).contiguous(memory_format=layout)
        with autocast(run):
            outputs: Tensor = module(batch)
        return outputs.float()  # metrics sum over many images, for which half precision is coarse

    # The metrics and the number of images, on the device: reading one would make a GPU wait.
    sums = torch.zeros(len(metrics) + 1, dtype=torch.float64, device=run.device)
    parts = 1
    for pixels, targets in data.evaluation(split, world.rank, world.size):
        pixels = pixels.to(run.device, non_blocking=True)
        labels = targets.to(run.device, non_blocking=True)
        outputs, parts = _in_parts(forward, pixels, parts)
        sums[:-1] += torch.stack([metric(outputs, labels).double() for metric in metrics.values()])
        sums[-1] += len(labels)
    *totals, images = total(sums, world).tolist()
    if not images:
        raise ValueError("no image of the evaluation split could be decoded")
    return {name: value / images for name, value in zip(metrics, totals, strict=True)}


def _in_parts(
    forward: Callable[[Tensor], Tensor], pixels: Tensor, parts: int
) -> tuple[Tensor, int]:
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
