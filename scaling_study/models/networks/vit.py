"""Vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) as a plain module."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from scaling_study.models.networks.stochastic_depth import StochasticDepth, rates

EPS, INIT_STD = 1e-6, 0.02


class Attention(nn.Module):
    """Multi-head self-attention of tokens (N, tokens, channels)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, channels = x.shape
        parts = self.queries_keys_values(x).reshape(n, tokens, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        y = scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(y.transpose(1, 2).reshape(n, tokens, channels))
        return out


class Block(nn.Module):
    """Attention, then two linear layers with a GELU, each after a layer norm, as residuals."""

    def __init__(self, channels: int, heads: int, rate: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels, EPS), nn.LayerNorm(channels, EPS)
        self.attention = Attention(channels, heads)
        self.expand = nn.Linear(channels, 4 * channels)
        self.reduce = nn.Linear(4 * channels, channels)
        self.drop = StochasticDepth(rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        out: Tensor = x + self.drop(self.reduce(gelu(self.expand(self.norm2(x)))))
        return out


class ViT(nn.Module):
    """Images (N, 3, side, side) to (N, outputs), by the token of the class.

    Each square of `patch` x `patch` pixels is a token; `depth` blocks have `heads` heads of
    `head_dim` channels.
    """

    def __init__(
        self,
        depth: int,
        heads: int,
        head_dim: int,
        patch: int,
        side: int,
        outputs: int,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        channels, tokens = heads * head_dim, (side // patch) ** 2
        self.patch = patch
        self.embed = nn.Linear(3 * patch**2, channels)
        self.class_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.position = nn.Parameter(torch.empty(1, tokens + 1, channels))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(Block(channels, heads, rate) for rate in rates(stochastic_depth, depth))
        )
        self.norm = nn.LayerNorm(channels, EPS)
        self.head = nn.Linear(channels, outputs)
        nn.init.trunc_normal_(self.position, std=INIT_STD)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        n, colours, side, _ = images.shape
        rows = side // self.patch
        squares = images.reshape(n, colours, rows, self.patch, rows, self.patch)
        x = self.embed(squares.permute(0, 2, 4, 1, 3, 5).reshape(n, rows**2, -1))
        x = torch.cat([self.class_token.expand(n, -1, -1).to(x.dtype), x], 1) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(self.dropout(x)))[:, 0])
        return logits


def _initialise(part: nn.Module) -> None:
    if isinstance(part, nn.Linear):
        nn.init.trunc_normal_(part.weight, std=INIT_STD)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
