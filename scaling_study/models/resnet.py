"""The ResNet-RS network (Bello et al. 2021): any depth with a known layout, any width.

Residual bottleneck network (He et al. 2015) with the ResNet-D stem and shortcut (He et al. 2018)
and squeeze-and-excitation in every block, as in the released ResNet-RS code: the 3x3 convolution of
a block carries the stride, the stem's last convolution replaces the max-pool, batch norm is last
before the gate, and every layer has int(filters x width) channels.
"""

from dataclasses import dataclass

from scaling_study.errors import InputError
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Network,
    ReLU,
    Residual,
    SqueezeExcite,
)
from scaling_study.values import require

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
STAGE_FILTERS = (64, 128, 256, 512)
STAGE_STRIDES = (1, 2, 2, 2)
EXPANSION = 4
STEMS = ("imagenet", "small")


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ModelConfig):
    """`dropout` (on the classifier's input) and `stochastic_depth` are rates."""

    stem: str
    se_ratio: float
    dropout: float
    stochastic_depth: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.se_ratio <= 1, "model.se_ratio", self.se_ratio, "must be in [0, 1]")
        for name in ("dropout", "stochastic_depth"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"model.{name}", rate, "must be in [0, 1)")


def network(model: ResNetConfig, n_classes: int) -> Network:
    """The layers of one ResNet-RS for 3-channel images.

    `stem=imagenet` is the paper's: four convolutions, total stride of the network 32. `stem=small`,
    for images of 16 to 96 px, is its last convolution alone (3x3, stride 2, from 3 to 64 x width
    channels), total stride 16.

    Raises:
        InputError: no layout for the depth, unknown stem, or a width that leaves no channel.
    """
    _check(model)
    layers = _stem(model)
    channels = _filters(64, model)
    for stage, blocks in enumerate(LAYOUTS[model.depth]):
        for block in range(blocks):
            stride = STAGE_STRIDES[stage] if block == 0 else 1
            layers.append(_block(model, channels, stage, stride))
            channels = EXPANSION * _filters(STAGE_FILTERS[stage], model)
    layers += [GlobalPool(), Dropout(model.dropout), Linear(channels, n_classes)]
    return Network(tuple(layers), stride=32 if model.stem == "imagenet" else 16)


def _check(model: ResNetConfig) -> None:
    if model.depth not in LAYOUTS:
        known = ", ".join(map(str, LAYOUTS))
        raise InputError(f"model.depth={model.depth}: no ResNet layout; known depths: {known}")
    if model.stem not in STEMS:
        raise InputError(f"model.stem={model.stem!r}: unknown stem; known: {', '.join(STEMS)}")
    if _filters(32, model) < 1:
        raise InputError(
            f"model.width={model.width:g}: no channel is left in the stem of 32 filters; "
            f"the smallest width is {1 / 32:g}"
        )


def _filters(filters: int, model: ResNetConfig) -> int:
    return int(filters * model.width)


def _conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1) -> list[Layer]:
    return [Conv(c_in, c_out, kernel, stride), BatchNorm(c_out)]


def _stem(model: ResNetConfig) -> list[Layer]:
    narrow, wide = _filters(32, model), _filters(64, model)
    if model.stem == "small":
        return [*_conv_bn(3, wide, 3, stride=2), ReLU()]
    return [
        *_conv_bn(3, narrow, 3, stride=2),
        ReLU(),
        *_conv_bn(narrow, narrow, 3),
        ReLU(),
        *_conv_bn(narrow, wide, 3),
        ReLU(),
        *_conv_bn(wide, wide, 3, stride=2),
        ReLU(),
    ]


def _block(model: ResNetConfig, c_in: int, stage: int, stride: int) -> Residual:
    filters = _filters(STAGE_FILTERS[stage], model)
    c_out = EXPANSION * filters
    body: list[Layer] = [
        *_conv_bn(c_in, filters, 1),
        ReLU(),
        *_conv_bn(filters, filters, 3, stride),
        ReLU(),
        Conv(filters, c_out, 1),
        BatchNorm(c_out, zero_gamma=True),
    ]
    if model.se_ratio > 0:
        body.append(SqueezeExcite(c_out, max(1, int(c_out * model.se_ratio))))
    # Per-stage rate as in the released code: 2/5, 3/5, 4/5, 5/5 of the final one.
    drop_rate = model.stochastic_depth * (stage + 2) / 5
    return Residual(tuple(body), _shortcut(c_in, c_out, stride), drop_rate)


def _shortcut(c_in: int, c_out: int, stride: int) -> tuple[Layer, ...]:
    if stride == 1 and c_in == c_out:
        return ()
    pool: list[Layer] = [AvgPool(stride)] if stride > 1 else []
    return (*pool, *_conv_bn(c_in, c_out, 1))


FAMILY = Family(ResNetConfig, network)
