"""Layers as plain values: what a network is made of, what each layer costs, and its torch module.

Planning sums `cost` without torch; training gives the same values to `modules.module_of`. A family
may bring its own layers: any value with a `cost` and a `module`, which imports torch when called.

Images are square. FLOPs are 2 x multiply-adds of convolutions and linear layers, as torch's own
counter has them: none for batch norm, activations, pooling and biases. Activations are the output
elements of convolutions (Radosavovic et al. 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn


class Shape(NamedTuple):
    """One image's feature map: channels, and pixels per side."""

    channels: int
    side: int


class Cost(NamedTuple):
    """Trainable parameters; forward FLOPs and convolution output elements per image."""

    params: int = 0
    flops: int = 0
    activations: int = 0


FREE = Cost()


class Layer(Protocol):
    """Anything that knows its output shape and its cost for one image."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]: ...


@runtime_checkable
class LayerWithModule(Layer, Protocol):
    """A layer that a family brings: it makes its own torch module."""

    def module(self) -> "nn.Module": ...


def total(layers: Sequence[Layer], shape: Shape) -> tuple[Shape, Cost]:
    """Output shape and summed cost of `layers` applied in order to one image of `shape`."""
    params = flops = activations = 0
    for layer in layers:
        shape, cost = layer.cost(shape)
        params += cost.params
        flops += cost.flops
        activations += cost.activations
    return shape, Cost(params, flops, activations)


class _Free:
    """Layers that keep the shape and cost nothing by the conventions above."""

    __slots__ = ()

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, FREE


def halved(side: int, stride: int) -> int:
    """Side of the output of a layer with `stride` that pads so that no pixel is lost."""
    return -(-side // stride)


@dataclass(frozen=True, slots=True)
class Conv:
    """Square convolution without bias, padded by kernel // 2 so that side becomes side / stride.

    `init` is he (normal, variance 2 / fan-out; He et al. 2015), xavier (uniform, variance
    2 / (fan-in + fan-out); Glorot and Bengio 2010) or lecun (normal cut off at two standard
    deviations, variance 1 / fan-in; LeCun et al. 1998), where the fans are those of one group.
    """

    c_in: int
    c_out: int
    kernel: int
    stride: int = 1
    groups: int = 1
    init: str = "he"

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        assert shape.channels == self.c_in, (shape, self)
        side = halved(shape.side, self.stride)
        params = self.kernel**2 * self.c_in // self.groups * self.c_out
        pixels = side * side
        return Shape(self.c_out, side), Cost(params, 2 * params * pixels, self.c_out * pixels)


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation; `zero_gamma` starts its scale at zero (Goyal et al. 2017).

    `momentum`: share of the new batch in the running statistics; one minus TensorFlow's.
    """

    channels: int
    zero_gamma: bool = False
    eps: float = 1e-5
    momentum: float = 0.1

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, Cost(2 * self.channels)


@dataclass(frozen=True, slots=True)
class ReLU(_Free):
    """max(x, 0), in place."""


@dataclass(frozen=True, slots=True)
class SiLU(_Free):
    """x sigmoid(x), also called swish. Not in place: its gradient needs its input."""


@dataclass(frozen=True, slots=True)
class AvgPool:
    """Average pooling, kernel = stride; a partial window at the border averages what it has."""

    stride: int

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return Shape(shape.channels, halved(shape.side, self.stride)), FREE


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over 3x3 pixels at every second one."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return Shape(shape.channels, halved(shape.side, 2)), FREE


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Mean over all pixels."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return Shape(shape.channels, 1), FREE


@dataclass(frozen=True, slots=True)
class Dropout(_Free):
    rate: float


@dataclass(frozen=True, slots=True)
class Linear:
    """The classifier. `init` is normal (standard deviation 0.01, as in the released ResNet-RS code)
    or uniform (within 1 / sqrt(c_out), as in EfficientNet's)."""

    c_in: int
    c_out: int
    init: str = "normal"

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        weights = self.c_in * self.c_out
        return Shape(self.c_out, 1), Cost(weights + self.c_out, 2 * weights)


@dataclass(frozen=True, slots=True)
class SqueezeExcite:
    """Channel gate (Hu et al. 2018): global mean, 1x1 convolution to `hidden`, ReLU (or SiLU), 1x1
    convolution back, sigmoid. `init` as in `Conv`; biases start at zero."""

    channels: int
    hidden: int
    silu: bool = False
    init: str = "he"

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        weights, biases = 2 * self.channels * self.hidden, self.hidden + self.channels
        return shape, Cost(weights + biases, 2 * weights, biases)


@dataclass(frozen=True, slots=True)
class Residual:
    """A row of equal blocks, one per drop rate: shortcut(x) + body(x), then ReLU if `relu`, or SiLU
    if `silu`.

    In training the body of block i is dropped per image at drop_rates[i] (Huang et al. 2016).
    Equal blocks are one value, so that the cost of deep networks is quick to compute; blocks after
    the first must keep the shape.
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]
    drop_rates: tuple[float, ...]
    relu: bool = True
    silu: bool = False

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        out, body = total(self.body, shape)
        shortcut_out, shortcut = total(self.shortcut, shape)
        assert out == shortcut_out, (out, shortcut_out)
        times = len(self.drop_rates)
        assert times == 1 or out == shape, (out, shape)
        return out, Cost(*(times * (b + s) for b, s in zip(body, shortcut, strict=True)))


@dataclass(frozen=True, slots=True)
class Network:
    """A whole classifier. `stride` is its total down-sampling, the smallest image side it takes."""

    layers: tuple[Layer, ...]
    stride: int
