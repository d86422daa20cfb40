"""EfficientNet (Tan and Le 2019): `depth` and `width` are its coefficients, B0 being 1 and 1.

As in the released code: inverted bottlenecks with depthwise convolutions, squeeze-and-excitation
of 0.25 of a block's input, swish, channels rounded to multiples of 8, numbers of blocks rounded up,
drop rate of block i of n rising as i / n. One thing differs: padding is symmetric, where TensorFlow
pads an even side at its end only. EfficientNet-RS is the same network at a lower resolution.
"""

from dataclasses import dataclass
from math import ceil

from scaling_study.common.validation import later
from scaling_study.models import layers as spec
from scaling_study.models.family import Family, ModelConfig, require_legal
from scaling_study.models.layers import Layer, Network


@dataclass(frozen=True)
class Stage:
    """Blocks of B0: how many, kernel, stride of the first, expansion ratio, output filters."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_FILTERS, HEAD_FILTERS = 32, 1280
BATCH_NORM_EPS = 1e-3
CHOICES = {"stem": ("imagenet", "small"), "weight_init": ("default", "lecun")}
# Grid-searched at B0 so that FLOPs double with every unit of phi (Tan and Le 2019, section 3.3).
ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15


@dataclass(frozen=True, kw_only=True)
class EfficientNetConfig(ModelConfig):
    """`se_ratio`: hidden channels of the gate as share of the block's input; 0 leaves it out.

    `stem=small` has stride 1, for images from 16 px on. `bn_momentum`: share of the new batch in
    the running statistics. `dropout` and `stochastic_depth` (of the last block) are rates.
    """

    stem: str
    se_ratio: float
    bn_momentum: float
    dropout: float
    stochastic_depth: float
    weight_init: str = later("default")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_legal(self, CHOICES)

    @property
    def conv_init(self) -> str:
        """Distribution of the convolutions' first weights; the default is the released code's."""
        return "he" if self.weight_init == "default" else self.weight_init


def compound(phi: float, resolution: int = 224) -> tuple[float, float, int]:
    """Depth, width and image side (px) of compound scaling: 1.2^phi, 1.1^phi, side x 1.15^phi.

    The released B1 to B7 follow it by hand: their rounded values are presets of their own.
    """
    return round(ALPHA**phi, 3), round(BETA**phi, 3), round(resolution * GAMMA**phi)


def round_filters(filters: int, width: float) -> int:
    """The multiple of 8 nearest to filters x width, at least 8 and at least 90 % of it."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def network(model: EfficientNetConfig, n_classes: int) -> Network:
    """The layers of one EfficientNet for 3-channel images; total stride 32, `stem=small` 16."""
    counts = [ceil(stage.blocks * model.depth) for stage in STAGES]
    channels, head = (round_filters(f, model.width) for f in (STEM_FILTERS, HEAD_FILTERS))
    layers = _conv_bn_silu(model, 3, channels, 3, stride=2 if model.stem == "imagenet" else 1)
    before, blocks = 0, sum(counts)
    for stage, count in zip(STAGES, counts, strict=True):
        rates = tuple(model.stochastic_depth * (before + i) / blocks for i in range(count))
        c_out = round_filters(stage.filters, model.width)
        layers += _block(model, stage, channels, c_out, stage.stride, rates[:1])
        if count > 1:
            layers += _block(model, stage, c_out, c_out, 1, rates[1:])
        before, channels = before + count, c_out
    layers += _conv_bn_silu(model, channels, head, 1)
    layers += [spec.GlobalPool(), spec.Dropout(model.dropout)]
    layers.append(spec.Linear(head, n_classes, init="uniform"))
    return Network(tuple(layers), stride=32 if model.stem == "imagenet" else 16)


def _conv_bn_silu(
    model: EfficientNetConfig, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[Layer]:
    norm = spec.BatchNorm(c_out, eps=BATCH_NORM_EPS, momentum=model.bn_momentum)
    return [spec.Conv(c_in, c_out, kernel, stride, groups, model.conv_init), norm, spec.SiLU()]


def _block(
    model: EfficientNetConfig,
    stage: Stage,
    c_in: int,
    c_out: int,
    stride: int,
    rates: tuple[float, ...],
) -> list[Layer]:
    """Expand, depthwise, gate, project; added to the input where the shape allows it."""
    hidden = c_in * stage.expansion
    layers = _conv_bn_silu(model, c_in, hidden, 1) if stage.expansion > 1 else []
    layers += _conv_bn_silu(model, hidden, hidden, stage.kernel, stride, groups=hidden)
    if model.se_ratio > 0:
        gate = max(1, int(c_in * model.se_ratio))
        layers.append(spec.SqueezeExcite(hidden, gate, silu=True, init=model.conv_init))
    layers += _conv_bn_silu(model, hidden, c_out, 1)[:-1]
    if stride == 1 and c_in == c_out:
        return [spec.Residual(tuple(layers), (), rates, relu=False)]
    return layers


FAMILY = Family(
    config=EfficientNetConfig,
    network=network,
    # Tenths, as the released coefficients; B7 has 3.1, EfficientNet-L2 5.3.
    depths=lambda model: [tenth / 10 for tenth in range(1, 61)],
    width_step=0.05,
    # Below it the stem of 32 filters is rounded up to 8 channels anyway.
    smallest_width=lambda model: 0.25,
)
