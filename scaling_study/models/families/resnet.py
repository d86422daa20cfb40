"""ResNet (He et al. 2015) and what became of it: ResNet-D, ResNet-SE, ResNet-RS, piece by piece.

One definition whose pieces are settings; conf/model/resnet*.yaml are the named combinations. As in
the released ResNet-RS code (Bello et al. 2021) batch norm is last before the gate, the gate last
before the addition, and every layer has int(filters x width) channels.
"""

from dataclasses import dataclass

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Residual,
    SqueezeExcite,
)

# Bottleneck blocks in the four stages. 50 and more: the paper and its code (300 and 400 from
# appendix E); 26 is the only layout that fits Figure 2's FLOPs axis; 14 and 38 continue it.
LAYOUTS: dict[int, tuple[int, int, int, int]] = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    38: (3, 3, 3, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    270: (4, 29, 53, 4),
    300: (4, 36, 54, 4),
    350: (4, 36, 72, 4),
    400: (6, 48, 72, 6),
    420: (4, 44, 87, 4),
}
# Basic blocks: 18 and 34 are He et al.'s; 10 continues them.
BASIC_LAYOUTS: dict[int, tuple[int, int, int, int]] = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
}
STAGE_FILTERS = (64, 128, 256, 512)
STAGE_STRIDES = (1, 2, 2, 2)
CHOICES = {
    "block": ("bottleneck", "basic"),
    "stem": ("plain", "deep", "rs", "small"),
    "shortcut": ("projection", "average"),
    "stride_in": ("conv1", "conv2"),
    "init": ("he", "xavier"),
    "stochastic_depth_mode": ("per_stage", "linear"),
}
# The narrowest layer of each stem, which is the narrowest of the network.
NARROWEST = {"plain": 64, "deep": 32, "rs": 32, "small": 64}


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ModelConfig):
    """The pieces are explained where their values are, in conf/model/resnet*.yaml.

    `se_ratio`: hidden channels of the gate as share of the block's output. `bn_momentum`: share of
    the new batch in the running statistics. `dropout` (on the classifier's input) and
    `stochastic_depth` are rates.
    """

    depth: int
    block: str
    stem: str
    shortcut: str
    stride_in: str
    se_ratio: float
    zero_gamma: bool
    init: str
    bn_momentum: float
    dropout: float
    stochastic_depth: float
    stochastic_depth_mode: str

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in CHOICES.items():
            value = getattr(self, name)
            accepted = f"unknown {name}; known: {', '.join(known)}"
            require(value in known, f"model.{name}", repr(value), accepted)
        require(0 <= self.se_ratio <= 1, "model.se_ratio", self.se_ratio, "must be in [0, 1]")
        momentum = self.bn_momentum
        require(0 < momentum <= 1, "model.bn_momentum", momentum, "must be in (0, 1]")
        for name in ("dropout", "stochastic_depth"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"model.{name}", rate, "must be in [0, 1)")

    @property
    def layouts(self) -> dict[int, tuple[int, int, int, int]]:
        """Blocks per stage of every depth that this kind of block has."""
        return LAYOUTS if self.block == "bottleneck" else BASIC_LAYOUTS

    @property
    def expansion(self) -> int:
        """Output channels of a block per filter of its 3x3 convolutions."""
        return 4 if self.block == "bottleneck" else 1


def network(model: ResNetConfig, n_classes: int) -> Network:
    """The layers of one ResNet for 3-channel images; total stride 32, with `stem=small` 16.

    Raises:
        InputError: no layout for the depth, a width that leaves no channel, or a stride in a
            convolution that basic blocks do not have it in.
    """
    _check(model)
    layers = _stem(model)
    channels = _filters(64, model)
    rates = drop_rates(model)
    for stage, filters in enumerate(STAGE_FILTERS):
        c_out = model.expansion * _filters(filters, model)
        layers.append(_block(model, channels, stage, STAGE_STRIDES[stage], rates[stage][:1]))
        if len(rates[stage]) > 1:
            layers.append(_block(model, c_out, stage, 1, rates[stage][1:]))
        channels = c_out
    layers += [GlobalPool(), Dropout(model.dropout), Linear(channels, n_classes)]
    return Network(tuple(layers), stride=16 if model.stem == "small" else 32)


def drop_rates(model: ResNetConfig) -> list[tuple[float, ...]]:
    """Stochastic depth's drop rate of every block, by stage.

    `per_stage`, as in the released code: 2/5, 3/5, 4/5 and 5/5 of the final rate. `linear` (Huang
    et al. 2016): block l of L, counted from one, has l/L of it.
    """
    counts, final = model.layouts[model.depth], model.stochastic_depth
    if model.stochastic_depth_mode == "per_stage":
        return [(final * (stage + 2) / 5,) * count for stage, count in enumerate(counts)]
    ends = [sum(counts[: stage + 1]) for stage in range(len(counts))]
    return [
        tuple(final * (block + 1) / ends[-1] for block in range(end - count, end))
        for end, count in zip(ends, counts, strict=True)
    ]


def smallest_width(model: ResNetConfig) -> float:
    """The least width that leaves every layer a channel."""
    return 1 / NARROWEST[model.stem]


def _check(model: ResNetConfig) -> None:
    if model.depth not in model.layouts:
        known = ", ".join(map(str, model.layouts))
        raise InputError(
            f"model.depth={model.depth}: no ResNet layout; known depths: {known} "
            f"(model.block={model.block})"
        )
    if model.width < smallest_width(model):
        raise InputError(
            f"model.width={model.width:g}: no channel is left in the stem of "
            f"{NARROWEST[model.stem]} filters; the smallest width is {smallest_width(model):g}"
        )
    if model.block == "basic" and model.stride_in != "conv1":
        raise InputError(
            f"model.stride_in={model.stride_in}: basic blocks have their stride in conv1"
        )


def _filters(filters: int, model: ResNetConfig) -> int:
    return int(filters * model.width)


def _conv_bn(
    model: ResNetConfig, c_in: int, c_out: int, kernel: int, stride: int = 1, last: bool = False
) -> list[Layer]:
    return [
        Conv(c_in, c_out, kernel, stride, init=model.init),
        BatchNorm(c_out, zero_gamma=last and model.zero_gamma, momentum=model.bn_momentum),
    ]


def _stem(model: ResNetConfig) -> list[Layer]:
    narrow, wide = _filters(32, model), _filters(64, model)
    if model.stem == "small":
        return [*_conv_bn(model, 3, wide, 3, 2), ReLU()]
    if model.stem == "plain":
        return [*_conv_bn(model, 3, wide, 7, 2), ReLU(), MaxPool()]
    deep = [
        *_conv_bn(model, 3, narrow, 3, 2),
        ReLU(),
        *_conv_bn(model, narrow, narrow, 3),
        ReLU(),
        *_conv_bn(model, narrow, wide, 3),
        ReLU(),
    ]
    if model.stem == "deep":
        return [*deep, MaxPool()]
    return [*deep, *_conv_bn(model, wide, wide, 3, 2), ReLU()]


def _block(
    model: ResNetConfig, c_in: int, stage: int, stride: int, rates: tuple[float, ...]
) -> Residual:
    filters = _filters(STAGE_FILTERS[stage], model)
    c_out = model.expansion * filters
    first, second = (stride, 1) if model.stride_in == "conv1" else (1, stride)
    if model.block == "basic":
        body = [
            *_conv_bn(model, c_in, filters, 3, first),
            ReLU(),
            *_conv_bn(model, filters, filters, 3, second, last=True),
        ]
    else:
        body = [
            *_conv_bn(model, c_in, filters, 1, first),
            ReLU(),
            *_conv_bn(model, filters, filters, 3, second),
            ReLU(),
            *_conv_bn(model, filters, c_out, 1, last=True),
        ]
    if model.se_ratio > 0:
        hidden = max(1, int(c_out * model.se_ratio))
        body.append(SqueezeExcite(c_out, hidden, init=model.init))
    return Residual(tuple(body), _shortcut(model, c_in, c_out, stride), rates)


def _shortcut(model: ResNetConfig, c_in: int, c_out: int, stride: int) -> tuple[Layer, ...]:
    if stride == 1 and c_in == c_out:
        return ()
    if model.shortcut == "projection" or stride == 1:
        return tuple(_conv_bn(model, c_in, c_out, 1, stride))
    return (AvgPool(stride), *_conv_bn(model, c_in, c_out, 1))


FAMILY = Family(
    config=ResNetConfig,
    network=network,
    depths=lambda model: sorted(model.layouts),
    # The least step that changes the first stage, of 64 filters, by a whole channel.
    width_step=1 / 64,
    smallest_width=smallest_width,
)
