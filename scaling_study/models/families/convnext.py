"""ConvNeXt (Liu et al. 2022, arXiv 2201.03545): depth counts blocks, width multiplies channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_study.common.validation import require
from scaling_study.models.family import Family, ModelConfig

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (96, 192, 384, 768)
# ConvNeXt-T has 18 blocks: 3, 3, 9, 3. Larger ones have more in the third stage alone, as -S has
# (36) and -B; smaller ones a third or two of each stage.
TINY, SMALLER = 18, {6: (1, 1, 3, 1), 12: (2, 2, 6, 2)}
DEEPEST = 129


@dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig(ModelConfig):
    """`patch`: side, px, of the squares that the stem takes; the paper's is 4."""

    depth: int
    patch: int
    stochastic_depth: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.patch >= 1, "model.patch", self.patch, "must be 1 px or more")
        rate = self.stochastic_depth
        require(0 <= rate < 1, "model.stochastic_depth", rate, "must be in [0, 1)")


def build(model: ConvNeXtConfig, outputs: int, resolution: int) -> nn.Module:
    from scaling_study.models.networks.convnext import ConvNeXt

    channels = [round(model.width * count) for count in CHANNELS]
    blocks = SMALLER.get(model.depth, (3, 3, model.depth - 9, 3))
    return ConvNeXt(blocks, channels, outputs, model.patch, model.stochastic_depth)


FAMILY = Family(
    config=ConvNeXtConfig,
    build=build,
    depths=lambda model: [*SMALLER, *range(TINY, DEEPEST + 1)],
    # Four channels of the first stage.
    width_step=1 / 24,
    smallest_width=lambda model: 1 / 24,
    stride=lambda model: 8 * model.patch,
)
