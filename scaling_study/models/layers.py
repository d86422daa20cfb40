"""Layers as plain values: what a network is made of, and what each layer costs.

One description serves both sides of a study. Planning sums `cost` over it without torch;
`models.build` turns the same values into torch modules, so the two cannot disagree.

Conventions: images are square; FLOPs are 2 x multiply-adds of convolutions and linear layers,
which is what torch's own counter reports; batch norm, activations, pooling and biases count as
zero FLOPs; activations are the output elements of convolutions (Radosavovic et al. 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol


@dataclass(frozen=True)
class Shape:
    """One image's feature map: channels, and pixels per side."""

    channels: int
    side: int


@dataclass(frozen=True)
class Cost:
    """Trainable parameters; forward FLOPs and convolution output elements per image."""

    params: int = 0
    flops: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.params + other.params,
            self.flops + other.flops,
            self.activations + other.activations,
        )


class Layer(Protocol):
    """Anything that knows its output shape and its cost for one image."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]: ...


def total(layers: Sequence[Layer], shape: Shape) -> tuple[Shape, Cost]:
    """Output shape and summed cost of `layers` applied in order to one image of `shape`."""
    cost = Cost()
    for layer in layers:
        shape, added = layer.cost(shape)
        cost += added
    return shape, cost


@dataclass(frozen=True)
class Conv:
    """Square convolution without bias, padded by kernel // 2 so that side becomes side / stride."""

    c_in: int
    c_out: int
    kernel: int
    stride: int = 1
    groups: int = 1

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        assert shape.channels == self.c_in, (shape, self)
        out = Shape(self.c_out, ceil(shape.side / self.stride))
        params = self.kernel**2 * self.c_in // self.groups * self.c_out
        pixels = out.side**2
        return out, Cost(params, 2 * params * pixels, self.c_out * pixels)


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation; `zero_gamma` starts its scale at zero (Goyal et al. 2017)."""

    channels: int
    zero_gamma: bool = False

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, Cost(params=2 * self.channels)


@dataclass(frozen=True)
class ReLU:
    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, Cost()


@dataclass(frozen=True)
class AvgPool:
    """Average pooling, kernel = stride; a partial window at the border averages what it has."""

    stride: int

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return Shape(shape.channels, ceil(shape.side / self.stride)), Cost()


@dataclass(frozen=True)
class GlobalPool:
    """Mean over all pixels."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return Shape(shape.channels, 1), Cost()


@dataclass(frozen=True)
class Dropout:
    rate: float

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, Cost()


@dataclass(frozen=True)
class Linear:
    c_in: int
    c_out: int

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        weights = self.c_in * self.c_out
        return Shape(self.c_out, 1), Cost(weights + self.c_out, 2 * weights)


@dataclass(frozen=True)
class SqueezeExcite:
    """Channel gate: global mean, 1x1 convolution to `hidden`, back, sigmoid (Hu et al. 2018)."""

    channels: int
    hidden: int

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        weights = 2 * self.channels * self.hidden
        biases = self.hidden + self.channels
        return shape, Cost(weights + biases, 2 * weights, biases)


@dataclass(frozen=True)
class Residual:
    """relu(shortcut(x) + body(x)); in training the body is dropped per image at `drop_rate`."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]
    drop_rate: float

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        out, body = total(self.body, shape)
        shortcut_out, shortcut = total(self.shortcut, shape)
        assert out == shortcut_out, (out, shortcut_out)
        return out, body + shortcut


@dataclass(frozen=True)
class Network:
    """A whole classifier. `stride` is its total down-sampling, the smallest image side it takes."""

    layers: tuple[Layer, ...]
    stride: int
