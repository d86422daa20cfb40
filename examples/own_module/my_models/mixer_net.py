# my_models/mixer_net.py
"""MLP-Mixer (Tolstikhin et al. 2021) as an ordinary module."""

from torch import nn


class Block(nn.Module):
    def __init__(self, tokens, channels):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.tokens = nn.Sequential(
            nn.Linear(tokens, 2 * tokens), nn.GELU(), nn.Linear(2 * tokens, tokens)
        )
        self.channels = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, depth, channels, patch, side, classes):
        super().__init__()
        self.unfold, self.embed = nn.Unfold(patch, stride=patch), nn.Linear(3 * patch**2, channels)
        self.blocks = nn.Sequential(*(Block((side // patch) ** 2, channels) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(channels), nn.Linear(channels, classes)

    def forward(self, images):
        x = self.embed(self.unfold(images).transpose(1, 2))
        return self.head(self.norm(self.blocks(x)).mean(1))
