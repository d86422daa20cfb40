"""ConvNeXt (Liu et al. 2022, arXiv 2201.03545) as a plain module."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from scaling_study.models.networks.stochastic_depth import StochasticDepth, rates

# As in the released code.
EPS, LAYER_SCALE, INIT_STD = 1e-6, 1e-6, 0.02


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel of (N, channels, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps).permute(
            0, 3, 1, 2
        )


class Block(nn.Module):
    """7x7 depthwise convolution, layer norm, two linear layers with a GELU, layer scale."""

    def __init__(self, channels: int, rate: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, EPS)
        self.expand = nn.Linear(channels, 4 * channels)
        self.reduce = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), LAYER_SCALE))
        self.drop = StochasticDepth(rate)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.reduce(nn.functional.gelu(self.expand(y)))
        out: Tensor = x + self.drop(y.permute(0, 3, 1, 2))
        return out


class ConvNeXt(nn.Module):
    """Images (N, 3, side, side) to (N, outputs); `blocks` and `channels` are those of each stage.

    The side is divided by `patch` in the stem, and by 2 before each of the other stages.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        channels: Sequence[int],
        outputs: int,
        patch: int,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        drop = iter(rates(stochastic_depth, sum(blocks)))
        parts: list[nn.Module] = [
            nn.Conv2d(3, channels[0], patch, patch),
            ChannelNorm(channels[0], EPS),
        ]
        for stage, (number, width) in enumerate(zip(blocks, channels, strict=True)):
            if stage:
                before = channels[stage - 1]
                parts += [ChannelNorm(before, EPS), nn.Conv2d(before, width, 2, 2)]
            parts += [Block(width, next(drop)) for _ in range(number)]
        self.features = nn.Sequential(*parts)
        self.norm = nn.LayerNorm(channels[-1], EPS)
        self.head = nn.Linear(channels[-1], outputs)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.features(images).mean((2, 3))))
        return logits


def _initialise(part: nn.Module) -> None:
    if isinstance(part, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(part.weight, std=INIT_STD)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
