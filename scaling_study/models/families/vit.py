"""Vision transformers (Dosovitskiy et al. 2021, arXiv 2010.11929).

Depth counts blocks, width heads: ViT-Ti, -S and -B have 12 blocks and 3, 6 and 12 heads of 64
channels. What resolution is for a convolutional network, the side of a patch is for these: the
number of tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_study.common.validation import require
from scaling_study.models.family import Family, ModelConfig

if TYPE_CHECKING:
    from torch import nn

DEEPEST = 96


@dataclass(frozen=True, kw_only=True)
class ViTConfig(ModelConfig):
    """`patch`: side of a patch, px; a head has `head_dim` channels."""

    depth: int
    patch: int
    head_dim: int
    dropout: float
    stochastic_depth: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.patch >= 1, "model.patch", self.patch, "must be 1 px or more")
        require(self.head_dim >= 1, "model.head_dim", self.head_dim, "must be 1 channel or more")
        for name in ("dropout", "stochastic_depth"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"model.{name}", rate, "must be in [0, 1)")


def build(model: ViTConfig, outputs: int, resolution: int) -> nn.Module:
    from scaling_study.models.networks.vit import ViT

    return ViT(
        depth=model.depth,
        heads=round(model.width),
        head_dim=model.head_dim,
        patch=model.patch,
        side=resolution,
        outputs=outputs,
        dropout=model.dropout,
        stochastic_depth=model.stochastic_depth,
    )


FAMILY = Family(
    config=ViTConfig,
    build=build,
    depths=lambda model: range(1, DEEPEST + 1),
    width_step=1,
    smallest_width=lambda model: 1,
    stride=lambda model: model.patch,
)
