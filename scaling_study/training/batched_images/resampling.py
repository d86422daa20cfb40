"""Crops of whole batches on a device, resized bicubically with antialiasing: the bits of Pillow,
which takes pixels around the box into account, or of torch on a CPU, which has cut the box out.

A row of a resized image is a weighted sum of the image's rows, so that a crop of each image is two
products of matrices. Weights are whole numbers, as Pillow's are, and sums of their products with
pixels are exact in double precision, in any order.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from scaling_study.training.batched_images.transfer import on

# Pillow's weights are multiples of 2 to the power of minus this. Torch's have at most as many bits,
# but no more than fit in 16 with their sign.
PRECISION_BITS, TORCH_BITS = 22, 15
# Half the width of the filter, in pixels of the smaller of both images.
SUPPORT = 2.0
# Images whose matrices exist at a time.
AT_ONCE = 64


def cropped(
    pixels: Tensor, boxes: Sequence[Sequence[float]], side: int, cut_out: bool = False
) -> Tensor:
    """(n, channels, side, side): a box (left, top, right, bottom; px) of each image of `pixels`
    (n, channels, height, width), resized; `cut_out` as torch does it, of boxes of whole pixels."""
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(pixels), AT_ONCE)]
    # Pillow holds them in single precision.
    ends = on(pixels.device, boxes, torch.float32)
    return torch.cat([_cropped(pixels[part], ends[part], side, cut_out) for part in parts])


def _cropped(pixels: Tensor, boxes: Tensor, side: int, cut_out: bool) -> Tensor:
    n, channels, height, width = pixels.shape
    lines = pixels.reshape(n, channels * height, width).double()
    across = _weights(boxes[:, 0], boxes[:, 2], width, side, cut_out)
    lines = _weighted(lines, *across).reshape(n, channels, height, side)
    columns = lines.permute(0, 1, 3, 2).reshape(n, channels * side, height)
    down = _weights(boxes[:, 1], boxes[:, 3], height, side, cut_out)
    shown = _weighted(columns, *down).reshape(n, channels, side, side)
    return shown.permute(0, 1, 3, 2).to(torch.uint8)


def _weights(
    begins: Tensor, ends: Tensor, length: int, side: int, cut_out: bool
) -> tuple[Tensor, Tensor]:
    """(n, length, side): how much of each pixel along a side of an image each of the result has, in
    whole numbers, and what number is 1 (n, 1, 1)."""
    begins, ends = begins[:, None, None], ends[:, None, None]
    scale = (ends - begins).double() / side
    wide = scale.clamp(min=1.0)
    at = torch.arange(side, dtype=torch.float64, device=begins.device) + 0.5
    centre = begins.double() + at * scale
    places = torch.arange(length, dtype=torch.float64, device=begins.device)[:, None]
    weights = _cubic((places - centre + 0.5) * (1.0 / wide))
    if cut_out:
        weights = torch.where((places >= begins) & (places < ends), weights, 0.0)
    weights = weights / weights.sum(1, keepdim=True)
    bits = torch.full_like(scale, PRECISION_BITS)
    if cut_out:
        powers = 2.0 ** torch.arange(1, PRECISION_BITS + 1, device=begins.device)
        fits = (weights.amax((1, 2))[:, None] * powers + 0.5).floor() < 2**TORCH_BITS
        bits = fits.sum(1).double()[:, None, None]
    one = 2.0**bits
    weights = weights * one
    return (weights + torch.where(weights < 0, -0.5, 0.5)).trunc(), one


def _cubic(x: Tensor) -> Tensor:
    """Keys's filter with a slope of -1/2, which is 0 from `SUPPORT` on."""
    a, x = -0.5, x.abs()
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < SUPPORT, far, 0.0))


def _weighted(lines: Tensor, weights: Tensor, one: Tensor) -> Tensor:
    """Sums of pixels by their weights as grey levels, rounded."""
    return ((torch.bmm(lines, weights) + one / 2) / one).floor().clamp(0, 255)
