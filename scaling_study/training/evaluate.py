"""Top-1 error and cross-entropy of a module on clean images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from scaling_study.common.ranks import World
from scaling_study.config.run import RunConfig
from scaling_study.training.distributed import total
from scaling_study.training.input_pipeline.batches import TrainingData, to_input
from scaling_study.training.out_of_memory import gpu_memory_ran_out


@dataclass(frozen=True)
class Score:
    """Sums over images: wrong top-1 predictions, cross-entropy in nats."""

    wrong: int
    loss_sum: float
    images: int

    @property
    def error(self) -> float:
        return self.wrong / self.images

    @property
    def loss(self) -> float:
        return self.loss_sum / self.images


@torch.no_grad()
def evaluate(
    module: nn.Module,
    split: str,
    data: TrainingData,
    layout: torch.memory_format,
    run: RunConfig,
    world: World,
) -> Score:
    """Score of `module` on the clean images of `split`, val or train; every rank takes a share.

    A batch that does not fit in memory is scored in halves, which changes no score.

    Raises:
        RuntimeError: not even one image fits.
        ValueError: there are no images; all of them are corrupt.
    """
    module.eval()

    def forward(pixels: Tensor) -> Tensor:
        batch = to_input(pixels, data.mean, data.std).contiguous(memory_format=layout)
        with torch.autocast(run.device, torch.bfloat16, enabled=run.precision == "bf16"):
            logits: Tensor = module(batch)
        return logits.float()

    # Summed on the device: reading a number would make a GPU wait for every batch.
    wrong = torch.zeros((), dtype=torch.int64, device=run.device)
    loss = torch.zeros((), dtype=torch.float64, device=run.device)
    images, parts = 0, 1
    for pixels, targets in data.evaluation(split, world.rank, world.size):
        pixels = pixels.to(run.device, non_blocking=True)
        labels = targets.to(run.device, non_blocking=True)
        logits, parts = _in_parts(forward, pixels, parts)
        wrong += (logits.argmax(1) != labels).sum()
        loss += cross_entropy(logits, labels, reduction="sum")
        images += len(labels)
    counted = torch.tensor(images, dtype=torch.float64, device=run.device)
    sums = total(torch.stack([wrong.double(), loss, counted]), world)
    if not sums[2]:
        raise ValueError("no image of the evaluation split could be decoded")
    return Score(int(sums[0]), float(sums[1]), int(sums[2]))


def _in_parts(
    forward: Callable[[Tensor], Tensor], pixels: Tensor, parts: int
) -> tuple[Tensor, int]:
    """`forward` of all images, in so many parts or more, and how many it took."""
    while True:
        try:
            few = min(parts, max(1, len(pixels)))
            return torch.cat([forward(part) for part in pixels.tensor_split(few)]), parts
        except RuntimeError as error:
            if not gpu_memory_ran_out(error) or parts >= len(pixels):
                raise
        # Out of the handler, so that nothing holds the failed pass's activations any more.
        parts *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
