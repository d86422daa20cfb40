"""Peak memory of a training step, from the layers: what autograd saves, and when it frees it.

The peak is the largest sum, over the backward pass, of what lasts (weights, optimizer, average),
the saved tensors of the layers still to come, the weight gradients made by then, and the gradients
that the current layer holds. `tests/models/test_memory.py` compares it with torch's own count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from scaling_study.models import layers as spec

FP32, HALF, INT64 = 4, 2, 8
# Torch's count was within this share of ours on all shapes that the test measures.
TOLERANCE = 0.10

# What torch.save adds to a tensor's bytes (its name, its record, alignment), and to a file.
TENSOR_ENTRY, CHECKPOINT_FRAME = 420, 2000


@dataclass
class Tensor:
    """An activation of one image: its bytes, and whether some operation has saved it already."""

    size: int
    saved: bool = False


@dataclass(frozen=True)
class Footprint:
    """A training step's memory as a function of the batch, in bytes.

    `tensors`: number of weights and buffers; `fixed`, `per_image`: alive at backward operations.
    """

    weights: int
    buffers: int
    tensors: int
    fixed: NDArray[np.float64]
    per_image: NDArray[np.float64]

    def peak_bytes(
        self, batch_size: int, kept: int, passing: int, gradients_last: bool = False
    ) -> int | None:
        """Most bytes alive; the optimizer has `kept` tensors a weight, `passing` more at work.

        `gradients_last`: whether all of them are there when a backward pass begins, which adds to
        them. None if nothing is known about backward operations.
        """
        if not len(self.fixed):
            return None
        # The weights, their average, and what the optimizer keeps.
        lasting = self.weights * (2 + kept) + 2 * self.buffers
        there = self.weights if gradients_last else 0
        backward = there + (self.fixed + batch_size * self.per_image).max()
        return int(lasting + max(backward, self.weights * (1 + passing)))  # gradients are there too

    def checkpoint_bytes(self, kept: int) -> int:
        """A checkpoint with weights, their average and `kept` tensors of the optimizer's."""
        tensors = (2 + kept) * (self.weights + self.tensors * TENSOR_ENTRY)
        return CHECKPOINT_FRAME + tensors + 2 * self.buffers


class Tape:
    """Operations in the order of the forward pass, activations of `width` bytes an element.

    A row is: bytes an image that the operation is the first to keep; bytes an image of gradients
    alive in its backward; bytes of weights cast for it; bytes of its weights' gradients.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[tuple[int, int, int, int]] = []
        self.waiting = 0  # bytes of gradients that wait for these operations

    def tensor(self, shape: spec.Shape) -> Tensor:
        return Tensor(shape.channels * shape.side**2 * self.width)

    def add(self, x: Tensor, out: Tensor, *kept: Tensor, params: int = 0, cast: int = 0) -> Tensor:
        """An operation from `x` to `out` that keeps `kept`; `cast` of its `params` are cast."""
        new = sum(tensor.size for tensor in kept if not tensor.saved)
        for tensor in kept:
            tensor.saved = True
        copies = cast * self.width if self.width != FP32 else 0
        held = x.size + out.size + self.waiting
        self.rows.append((new, held, copies, params * FP32))
        return out


def footprint(layers: Sequence[spec.Layer], shape: spec.Shape, precision: str) -> Footprint:
    """Memory of a network for images of `shape`, in fp32 or in bf16 or fp16 (autocast)."""
    tape = Tape(FP32 if precision == "fp32" else HALF)
    images = shape.channels * shape.side**2 * FP32
    # Autocast makes a copy of the images; without it the images themselves are kept.
    x = Tensor(shape.channels * shape.side**2 * tape.width, saved=tape.width == FP32)
    _, cost = spec.total(layers, shape)
    _chain(layers, tape, x, shape)
    saved, held, copies, gradients = np.array(tape.rows, dtype=np.float64).T
    made = gradients[::-1].cumsum()[::-1]
    buffers, tensors = map(sum, zip(*map(_state, layers), strict=True))
    fixed, per_image = made + copies.cumsum(), images + saved.cumsum() + held
    return Footprint(cost.params * FP32, buffers, tensors, fixed, per_image)


def _state(layer: spec.Layer) -> tuple[int, int]:
    """Bytes of a layer's running statistics, and how many tensors it has in all."""
    if isinstance(layer, spec.BatchNorm):
        return 2 * layer.channels * FP32, 5
    if isinstance(layer, spec.Residual):
        parts = [_state(part) for part in (*layer.body, *layer.shortcut)]
        times = len(layer.drop_rates)
        return times * sum(s for s, _ in parts), times * sum(n for _, n in parts)
    return 0, {spec.Conv: 1, spec.Linear: 2, spec.SqueezeExcite: 4}.get(type(layer), 0)


@singledispatch
def apply(layer: spec.Layer, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    """Record what `layer` does to `x` of `shape`; the tensor that it returns.

    A layer that is not listed here, a family's own, is taken to keep its input.
    """
    out, cost = layer.cost(shape)
    return tape.add(x, tape.tensor(out), x, params=cost.params, cast=cost.params)


@apply.register
def _(layer: spec.BatchNorm, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    return tape.add(x, tape.tensor(shape), x, params=2 * layer.channels)


@apply.register
def _(layer: spec.ReLU, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    return tape.add(x, x, x)  # in place: it keeps its result


@apply.register
def _(layer: spec.MaxPool, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    out = tape.tensor(layer.cost(shape)[0])
    where = Tensor(out.size // tape.width * INT64)  # of each maximum
    return tape.add(x, out, x, where)


@apply.register
def _(layer: spec.GlobalPool, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    return tape.add(x, tape.tensor(layer.cost(shape)[0]))


@apply.register
def _(layer: spec.Dropout, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    return tape.add(x, tape.tensor(shape), tape.tensor(shape)) if layer.rate else x  # the mask


@apply.register
def _(layer: spec.SqueezeExcite, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    means, hidden = spec.Shape(layer.channels, 1), spec.Shape(layer.hidden, 1)
    weights = layer.channels * layer.hidden
    gate = tape.add(x, tape.tensor(means))
    for to, n in ((hidden, layer.hidden), (means, layer.channels)):
        gate = tape.add(gate, tape.tensor(to), gate, params=weights + n, cast=weights + n)
        out = tape.tensor(to) if layer.silu and to is hidden else gate
        gate = tape.add(gate, out, gate)
    return tape.add(x, tape.tensor(shape), x, gate)


@apply.register
def _(layer: spec.Residual, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    x = _block(layer, tape, x, shape)
    if (more := len(layer.drop_rates) - 1) > 0:
        # The second block has the first one's output to start from, and so have all others.
        start = len(tape.rows)
        x = _block(layer, tape, x, shape)
        tape.rows += tape.rows[start:] * (more - 1)
    return x


def _block(layer: spec.Residual, tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    out, outer = tape.tensor(layer.cost(shape)[0]), tape.waiting
    # Backward does the shortcut first, because forward does it last; each waits for the other.
    tape.waiting = outer + x.size
    y = _chain(layer.body, tape, x, shape)
    if any(layer.drop_rates):
        y = tape.add(y, Tensor(out.size))
    tape.waiting = outer + y.size
    _chain(layer.shortcut, tape, x, shape)
    tape.waiting = outer
    if layer.silu:  # not in place: it keeps the sum
        return tape.add(tape.add(y, out), tape.tensor(layer.cost(shape)[0]), out)
    return tape.add(y, out, out) if layer.relu else tape.add(y, out)


def _chain(parts: Sequence[spec.Layer], tape: Tape, x: Tensor, shape: spec.Shape) -> Tensor:
    for part in parts:
        x = apply(part, tape, x, shape)
        shape, _ = part.cost(shape)
    return x
