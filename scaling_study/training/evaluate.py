"""Top-1 error and cross-entropy of a module on clean images."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from scaling_study.config import RunConfig
from scaling_study.data.arrays import Images
from scaling_study.training.batches import to_input

BATCH = 250
# Training error is measured on at most this many training images.
MAX_TRAIN_IMAGES = 50_000


@torch.no_grad()
def evaluate(
    module: nn.Module,
    images: Images,
    mean: float,
    std: float,
    layout: torch.memory_format,
    run: RunConfig,
) -> tuple[float, float]:
    """(error, loss): share of wrong top-1 predictions, and mean cross-entropy in nats."""
    module.eval()
    wrong, loss = 0, 0.0
    for first in range(0, len(images.labels), BATCH):
        pixels = torch.from_numpy(images.pixels[first : first + BATCH])
        labels = torch.from_numpy(images.labels[first : first + BATCH]).to(run.device)
        batch = to_input(pixels.to(run.device), mean, std).contiguous(memory_format=layout)
        with torch.autocast(run.device, torch.bfloat16, enabled=run.precision == "bf16"):
            logits = module(batch)
        logits = logits.float()
        wrong += int((logits.argmax(1) != labels).sum())
        loss += float(cross_entropy(logits, labels, reduction="sum"))
    return wrong / len(images.labels), loss / len(images.labels)


def training_sample(images: Images) -> Images:
    """The images that train_error is measured on: all, or an even selection of a large set."""
    n = len(images.labels)
    if n <= MAX_TRAIN_IMAGES:
        return images
    chosen = np.linspace(0, n - 1, MAX_TRAIN_IMAGES).astype(int)
    return Images(images.pixels[chosen], images.labels[chosen])
