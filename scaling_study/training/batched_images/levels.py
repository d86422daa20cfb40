"""Changes of whole batches that give pixels other values in their places."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scaling_study.data.images.changes import (
    AutoContrast,
    Contrast,
    Equalize,
    Saturation,
    Sharpness,
    Table,
)
from scaling_study.training.batched_images.transfer import on

# Pillow's weights of red, green and blue, of 2^16.
GREY = (19595, 38470, 7471)


def by_table(images: Tensor, changes: Sequence[Table]) -> Tensor:
    values = np.frombuffer(b"".join(change.values for change in changes), np.uint8)
    return _looked_up(images, on(images.device, values.reshape(-1, 1, 256), torch.uint8))


def _looked_up(images: Tensor, tables: Tensor) -> Tensor:
    """Values by tables (n, channels or 1, 256)."""
    n, channels = images.shape[:2]
    places = images.reshape(n, channels, -1).long()
    return tables.expand(n, channels, 256).gather(2, places).reshape(images.shape)


def autocontrast(images: Tensor, changes: Sequence[AutoContrast]) -> Tensor:
    low, high = (end(images, (2, 3))[..., None].double() for end in (torch.amin, torch.amax))
    values = torch.arange(256, dtype=torch.float64, device=images.device)
    # Not 255 / …, which torch makes a product with the reciprocal.
    scale = torch.full_like(low, 255.0) / (high - low)
    stretched = (values * scale + -low * scale).trunc().clamp(0, 255)
    tables = torch.where(high > low, stretched, values).to(torch.uint8)
    return _looked_up(images, tables)


def equalize(images: Tensor, changes: Sequence[Equalize]) -> Tensor:
    n, channels = images.shape[:2]
    places = images.reshape(n, channels, -1).long()
    counts = torch.zeros((n, channels, 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, places, torch.ones_like(places))
    last = counts.gather(2, places.amax(2, keepdim=True))
    step = (counts.sum(2, keepdim=True) - last) // 255
    before = counts.cumsum(2) - counts
    even = (before + step // 2) // step.clamp(min=1)
    values = torch.arange(256, device=images.device)
    tables = torch.where(step > 0, even.clamp(max=255), values).to(torch.uint8)
    return _looked_up(images, tables)


def _greys(images: Tensor) -> Tensor:
    """(n, 1, height, width) of int32."""
    values = images.int()
    if images.shape[1] == 1:
        return values
    red, green, blue = (values[:, i : i + 1] * weight for i, weight in enumerate(GREY))
    return (red + green + blue + 0x8000) >> 16


def _blended(
    degenerate: Tensor, images: Tensor, changes: Sequence[Contrast | Saturation | Sharpness]
) -> Tensor:
    """Values as many times as far from `degenerate` as each image's factor says."""
    factors = on(images.device, [change.factor for change in changes], torch.float32)
    start = degenerate.float()
    # Not torch.lerp, nor one fused operation: Pillow rounds between.
    apart = factors[:, None, None, None] * (images.float() - start)
    return (start + apart).clamp(0, 255).to(torch.uint8)


def contrast(images: Tensor, changes: Sequence[Contrast]) -> Tensor:
    greys = _greys(images)
    pixels = greys[0].numel()
    total = greys.sum((1, 2, 3), keepdim=True, dtype=torch.int64)
    return _blended((2 * total + pixels) // (2 * pixels), images, changes)


def saturation(images: Tensor, changes: Sequence[Saturation]) -> Tensor:
    return _blended(_greys(images), images, changes)


def sharpness(images: Tensor, changes: Sequence[Sharpness]) -> Tensor:
    height, width = images.shape[2:]
    smooth = images.int()
    if min(height, width) > 2:  # those at the border stay
        values, inner = smooth, smooth[..., 1:-1, 1:-1]
        total = 4 * inner
        for down in range(3):
            for right in range(3):
                total = total + values[..., down : height - 2 + down, right : width - 2 + right]
        smooth = values.clone()
        smooth[..., 1:-1, 1:-1] = (2 * total + 13) // 26
    return _blended(smooth, images, changes)
