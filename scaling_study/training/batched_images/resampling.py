"""Crops of whole batches on a device, resized bicubically with antialiasing: Pillow's bits.

A row of a resized image is a weighted sum of the image's rows, so that a crop of each image is two
products of matrices. Weights are whole numbers, as Pillow's are, and sums of their products with
pixels are exact in double precision, in any order.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from scaling_study.training.batched_images.transfer import on

# Pillow's weights are multiples of 2 to the power of minus this.
PRECISION_BITS = 22
# Half the width of the filter, in pixels of the smaller of both images.
SUPPORT = 2.0
# Images whose matrices exist at a time.
AT_ONCE = 64


def cropped(pixels: Tensor, boxes: Sequence[Sequence[float]], side: int) -> Tensor:
    """(n, channels, side, side): a box (left, top, right, bottom; px) of each image of `pixels`
    (n, channels, height, width), resized."""
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(pixels), AT_ONCE)]
    # Pillow holds them in single precision.
    ends = on(pixels.device, boxes, torch.float32)
    return torch.cat([_cropped(pixels[part], ends[part], side) for part in parts])


def _cropped(pixels: Tensor, boxes: Tensor, side: int) -> Tensor:
    n, channels, height, width = pixels.shape
    across = _weights(boxes[:, 0], boxes[:, 2], width, side)
    down = _weights(boxes[:, 1], boxes[:, 3], height, side)
    lines = pixels.reshape(n, channels * height, width).double()
    lines = _levels(torch.bmm(lines, across)).reshape(n, channels, height, side)
    columns = lines.permute(0, 1, 3, 2).reshape(n, channels * side, height)
    shown = _levels(torch.bmm(columns, down)).reshape(n, channels, side, side)
    return shown.permute(0, 1, 3, 2).to(torch.uint8)


def _weights(begins: Tensor, ends: Tensor, length: int, side: int) -> Tensor:
    """(n, length, side): how much of each pixel along a side of an image each of the result has."""
    scale = (ends - begins).double()[:, None, None] / side
    wide = scale.clamp(min=1.0)
    at = torch.arange(side, dtype=torch.float64, device=begins.device) + 0.5
    centre = begins.double()[:, None, None] + at * scale
    places = torch.arange(length, dtype=torch.float64, device=begins.device)[:, None]
    weights = _cubic((places - centre + 0.5) * (1.0 / wide))
    weights = weights / weights.sum(1, keepdim=True) * float(1 << PRECISION_BITS)
    return (weights + torch.where(weights < 0, -0.5, 0.5)).trunc()


def _cubic(x: Tensor) -> Tensor:
    """Keys's filter with a slope of -1/2, which is 0 from `SUPPORT` on."""
    a, x = -0.5, x.abs()
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < SUPPORT, far, 0.0))


def _levels(sums: Tensor) -> Tensor:
    """Weighted sums as grey levels, rounded."""
    one = float(1 << PRECISION_BITS)
    return ((sums + one / 2) / one).floor().clamp(0, 255)
