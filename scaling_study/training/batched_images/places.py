"""Changes of whole batches that move pixels, or put others in their place."""

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling_study.data.images.changes import Affine, Filled, Pasted, grey_of
from scaling_study.training.batched_images.transfer import on

Maker = Callable[[Tensor, Sequence[Any]], Tensor]


def affine(images: Tensor, changes: Sequence[Affine]) -> Tensor:
    """Each by its own way: changes of one kind have mostly one."""
    ways: dict[Maker, list[int]] = {}
    for i, change in enumerate(changes):
        ways.setdefault(_way(change), []).append(i)
    if len(ways) == 1:
        return next(iter(ways))(images, changes)
    made = torch.empty_like(images)
    for way, chosen in ways.items():
        at = on(images.device, chosen, torch.int64)
        made.index_copy_(0, at, way(images.index_select(0, at), [changes[i] for i in chosen]))
    return made


def _way(change: Affine) -> Maker:
    if change.bicubic:
        return _bicubic
    return _along_axes if change.rows[1] == change.rows[3] == 0 else _nearest


def _along_axes(images: Tensor, changes: Sequence[Affine]) -> Tensor:
    """The nearest pixel without turn or shear. Pillow adds up the places along a side, pixel by
    pixel, and so rounds."""
    height, width = images.shape[2:]
    across = [_along(change.rows[0], change.rows[2], width) for change in changes]
    down = [_along(change.rows[4], change.rows[5], height) for change in changes]
    columns = on(images.device, across, torch.int64)[:, None]
    return _placed(images, columns, on(images.device, down, torch.int64)[..., None], changes)


def _along(step: float, first: float, length: int) -> NDArray[np.int64]:
    places = np.full(length, step, np.float64)
    places[0] = first + step * 0.5
    return np.floor(np.cumsum(places)).astype(np.int64)


def _nearest(images: Tensor, changes: Sequence[Affine]) -> Tensor:
    height, width = images.shape[2:]
    rows = on(images.device, [_fixed(change) for change in changes], torch.int64)
    a, b, c, d, e, f = (row[:, None, None] for row in rows.T)
    x = torch.arange(width, device=images.device)
    y = torch.arange(height, device=images.device)[:, None]
    return _placed(images, (a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16, changes)


def _fixed(change: Affine) -> list[int]:
    """Pillow's rows for the nearest pixel: in 2^-16 of a pixel, from the middle of the first."""
    a, b, c, d, e, f = change.rows
    x, y = c + a * 0.5 + b * 0.5, f + d * 0.5 + e * 0.5
    return [floor(value * 65536.0 + 0.5) for value in (a, b, x, d, e, y)]


def _placed(images: Tensor, across: Tensor, down: Tensor, changes: Sequence[Affine]) -> Tensor:
    """Pixels of these columns and rows, the fill where there is none."""
    height, width = images.shape[2:]
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    places = down.clamp(0, height - 1) * width + across.clamp(0, width - 1)
    return torch.where(inside[:, None], _at(images, places), _fills(images, changes))


def _at(images: Tensor, places: Tensor) -> Tensor:
    """Pixels at places (n, height, width), counted along the rows."""
    n, channels, height, width = images.shape
    flat = places.reshape(n, 1, -1).expand(n, channels, -1)
    return images.reshape(n, channels, -1).gather(2, flat).reshape(n, channels, height, width)


def _fills(images: Tensor, changes: Sequence[Affine]) -> Tensor:
    colour = images.shape[1] == 3
    fills = [change.fill if colour else (grey_of(change.fill),) for change in changes]
    return on(images.device, fills, torch.uint8)[..., None, None]


def _bicubic(images: Tensor, changes: Sequence[Affine]) -> Tensor:
    height, width = images.shape[2:]
    rows = on(images.device, [change.rows for change in changes], torch.float64)
    a, b, c, d, e, f = (row[:, None, None] for row in rows.T)
    x = torch.arange(width, dtype=torch.float64, device=images.device) + 0.5
    y = torch.arange(height, dtype=torch.float64, device=images.device)[:, None] + 0.5
    across, down = a * x + b * y + c, d * x + e * y + f
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    left, top = (across - 0.5).floor(), (down - 0.5).floor()
    dx, dy = (across - 0.5 - left)[:, None], (down - 0.5 - top)[:, None]
    lines = []
    for j in range(-1, 3):
        line = (top.long() + j).clamp(0, height - 1) * width
        columns = [(left.long() + i).clamp(0, width - 1) for i in range(-1, 3)]
        lines.append(_cubic([_at(images, line + column).double() for column in columns], dx))
    shown = _cubic(lines, dy).clamp(0, 255).to(torch.uint8)
    return torch.where(inside[:, None], shown, _fills(images, changes))


def _cubic(values: Sequence[Tensor], at: Tensor) -> Tensor:
    """Pillow's curve between the second and the third of four values."""
    one, two, three, four = values
    second = -one + three
    third = 2 * (one - two) + three - four
    fourth = -one + two - three + four
    return two + at * (second + at * (third + at * fourth))


def filled(images: Tensor, changes: Sequence[Filled]) -> Tensor:
    height, width = images.shape[2:]
    boxes = on(images.device, [change.box for change in changes], torch.int64)
    left, top, right, bottom = (side[:, None, None, None] for side in boxes.T)
    x = torch.arange(width, device=images.device)
    y = torch.arange(height, device=images.device)[:, None]
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    values = on(images.device, [change.value for change in changes], torch.uint8)
    return torch.where(inside, values[:, None, None, None], images)


def pasted(images: Tensor, changes: Sequence[Pasted]) -> Tensor:
    for image, change in zip(images, changes, strict=True):
        height, width = change.pixels.shape[:2]
        box = image[:, change.top : change.top + height, change.left : change.left + width]
        pixels = change.pixels.reshape(height, width, -1)
        box.copy_(on(images.device, pixels, torch.uint8).permute(2, 0, 1))
    return images
