"""ResNet (He et al. 2015) and what became of it: ResNet-D, ResNet-SE, ResNet-RS, piece by piece.

One definition whose pieces are settings; conf/model/resnet*.yaml are the named combinations. As in
the released ResNet-RS code (Bello et al. 2021) batch norm is last before the gate, the gate last
before the addition, and every layer has int(filters x width) channels.
"""

from dataclasses import dataclass
from itertools import islice

from scaling_study.common.validation import later, require
from scaling_study.models import layers as spec
from scaling_study.models.family import Family, ModelConfig, require_legal
from scaling_study.models.layers import Layer, Network

Layouts = dict[int, tuple[int, int, int, int]]
# Bottleneck blocks in the four stages. 50 and more: the paper and its code (300 and 400 from
# appendix E); 26 is the only layout that fits Figure 2's FLOPs axis; 14 and 38 continue it.
LAYOUTS: Layouts = {
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
BASIC_LAYOUTS: Layouts = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
STAGE_FILTERS = (64, 128, 256, 512)
STAGE_STRIDES = (1, 2, 2, 2)
CHOICES = {
    "block": ("bottleneck", "basic"),
    "stem": ("plain", "deep", "rs", "small", "cifar"),
    "shortcut": ("projection", "average"),
    "stride_in": ("conv1", "conv2"),
    "init": ("he", "xavier"),
    "weight_init": ("default", "lecun"),
    "activation": ("relu", "silu"),
    "stochastic_depth_mode": ("per_stage", "linear"),
}
# The narrowest layer of each stem, which is the narrowest of the network.
NARROWEST = {"plain": 64, "deep": 32, "rs": 32, "small": 64, "cifar": 64}
TOTAL_STRIDE = {"small": 16, "cifar": 8}


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ModelConfig):
    """The pieces are explained where their values are, in conf/model/resnet*.yaml.

    `se_ratio`: hidden channels of the gate as share of the block's output. `bn_momentum`: share of
    the new batch in the running statistics. `dropout` (on the classifier's input) and
    `stochastic_depth` are rates. `weight_init`: default is what `init` says.
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
    weight_init: str = later("default")
    activation: str = later("relu")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_legal(self, CHOICES)

    @property
    def layouts(self) -> Layouts:
        """Blocks per stage of every depth that this kind of block has."""
        return LAYOUTS if self.block == "bottleneck" else BASIC_LAYOUTS

    @property
    def conv_init(self) -> str:
        """Distribution of the convolutions' first weights."""
        return self.init if self.weight_init == "default" else self.weight_init

    @property
    def expansion(self) -> int:
        """Output channels of a block per filter of its 3x3 convolutions."""
        return 4 if self.block == "bottleneck" else 1


def network(model: ResNetConfig, n_classes: int) -> Network:
    """The layers of one ResNet for 3-channel images; total stride 32, but for `TOTAL_STRIDE`.

    InputError for a depth without layout, a width without channels, or a stride in a wrong place.
    """
    known = ", ".join(map(str, model.layouts))
    depths = f"no ResNet layout; known depths: {known} (model.block={model.block})"
    require(model.depth in model.layouts, "model.depth", model.depth, depths)
    least = 1 / NARROWEST[model.stem]
    widths = (
        f"no channel is left in the stem of {NARROWEST[model.stem]} filters; the smallest width is "
        f"{least:g}"
    )
    require(model.width >= least, "model.width", f"{model.width:g}", widths)
    ok = model.block != "basic" or model.stride_in == "conv1"
    require(ok, "model.stride_in", model.stride_in, "basic blocks have their stride in conv1")
    layers, channels = _stem(model), int(64 * model.width)
    for base, stride, rates in zip(STAGE_FILTERS, STAGE_STRIDES, drop_rates(model), strict=True):
        filters = int(base * model.width)
        layers.append(_block(model, channels, filters, stride, rates[:1]))
        channels = model.expansion * filters
        if len(rates) > 1:
            layers.append(_block(model, channels, filters, 1, rates[1:]))
    layers += [spec.GlobalPool(), spec.Dropout(model.dropout), spec.Linear(channels, n_classes)]
    return Network(tuple(layers), stride=TOTAL_STRIDE.get(model.stem, 32))


def drop_rates(model: ResNetConfig) -> list[tuple[float, ...]]:
    """Stochastic depth's drop rate of every block, by stage.

    `per_stage`, as in the released code: 2/5, 3/5, 4/5 and 5/5 of the final rate. `linear` (Huang
    et al. 2016): block l of L, counted from one, has l/L of it.
    """
    counts, final = model.layouts[model.depth], model.stochastic_depth
    if model.stochastic_depth_mode == "per_stage":
        return [(final * (stage + 2) / 5,) * count for stage, count in enumerate(counts)]
    blocks = sum(counts)
    rates = iter([final * (block + 1) / blocks for block in range(blocks)])
    return [tuple(islice(rates, count)) for count in counts]


def _conv_bn(
    model: ResNetConfig, c_in: int, c_out: int, kernel: int, stride: int = 1, last: bool = False
) -> list[Layer]:
    return [
        spec.Conv(c_in, c_out, kernel, stride, init=model.conv_init),
        spec.BatchNorm(c_out, zero_gamma=last and model.zero_gamma, momentum=model.bn_momentum),
    ]


def _conv_bn_act(
    model: ResNetConfig, c_in: int, c_out: int, kernel: int, stride: int = 1
) -> list[Layer]:
    activation = spec.SiLU() if model.activation == "silu" else spec.ReLU()
    return [*_conv_bn(model, c_in, c_out, kernel, stride), activation]


def _stem(model: ResNetConfig) -> list[Layer]:
    narrow, wide = int(32 * model.width), int(64 * model.width)
    if model.stem in ("small", "cifar"):
        return _conv_bn_act(model, 3, wide, 3, 2 if model.stem == "small" else 1)
    if model.stem == "plain":
        return [*_conv_bn_act(model, 3, wide, 7, 2), spec.MaxPool()]
    deep = _conv_bn_act(model, 3, narrow, 3, 2)
    deep += _conv_bn_act(model, narrow, narrow, 3) + _conv_bn_act(model, narrow, wide, 3)
    if model.stem == "deep":
        return [*deep, spec.MaxPool()]
    return deep + _conv_bn_act(model, wide, wide, 3, 2)


def _block(
    model: ResNetConfig, c_in: int, filters: int, stride: int, rates: tuple[float, ...]
) -> spec.Residual:
    c_out = model.expansion * filters
    first, second = (stride, 1) if model.stride_in == "conv1" else (1, stride)
    if model.block == "basic":
        body = _conv_bn_act(model, c_in, filters, 3, first)
        body += _conv_bn(model, filters, filters, 3, second, last=True)
    else:
        body = _conv_bn_act(model, c_in, filters, 1, first)
        body += _conv_bn_act(model, filters, filters, 3, second)
        body += _conv_bn(model, filters, c_out, 1, last=True)
    if model.se_ratio > 0:
        hidden = max(1, int(c_out * model.se_ratio))
        body.append(spec.SqueezeExcite(c_out, hidden, init=model.conv_init))
    shortcut, silu = _shortcut(model, c_in, c_out, stride), model.activation == "silu"
    return spec.Residual(tuple(body), shortcut, rates, relu=not silu, silu=silu)


def _shortcut(model: ResNetConfig, c_in: int, c_out: int, stride: int) -> tuple[Layer, ...]:
    if stride == 1 and c_in == c_out:
        return ()
    if model.shortcut == "projection" or stride == 1:
        return tuple(_conv_bn(model, c_in, c_out, 1, stride))
    return (spec.AvgPool(stride), *_conv_bn(model, c_in, c_out, 1))


FAMILY = Family(
    config=ResNetConfig,
    network=network,
    depths=lambda model: sorted(model.layouts),
    # The least step that changes the first stage, of 64 filters, by a whole channel.
    width_step=1 / 64,
    # It leaves every layer a channel.
    smallest_width=lambda model: 1 / NARROWEST[model.stem],
)
