"""A family of a user's, with its modules beside it, and modules that are hard to count."""

from pathlib import Path

import torch
from torch import Tensor, nn

FAMILY = """
from dataclasses import dataclass

from scaling_study.models.family import Family, ModelConfig


@dataclass(frozen=True, kw_only=True)
class MLPConfig(ModelConfig):
    depth: int


def build(model, outputs, resolution):
    from own_mlp.nets import MLP  # here: planning does without torch

    return MLP(model.depth, round(64 * model.width), resolution, outputs)


FAMILY = Family(
    config=MLPConfig,
    build=build,
    depths=lambda model: range(1, 9),
    width_step=1 / 8,
    smallest_width=lambda model: 1 / 8,
    stride=lambda model: 1,
)
"""
NETS = """
from torch import nn


class MLP(nn.Sequential):
    def __init__(self, depth, width, side, outputs):
        sizes = [3 * side**2] + [width] * depth
        layers = [nn.Flatten()]
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU()]
        super().__init__(*layers, nn.Linear(width, outputs))
"""
MODEL = {"family": "own_mlp.family", "depth": 2, "width": 1.0}


def write_mlp(folder: Path) -> None:
    """The package `own_mlp` in a folder: a family without convolutions."""
    (folder / "own_mlp").mkdir()
    (folder / "own_mlp" / "family.py").write_text(FAMILY, encoding="utf-8")
    (folder / "own_mlp" / "nets.py").write_text(NETS, encoding="utf-8")


class NeedsNumbers(nn.Module):
    """Its forward pass depends on the values of what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 16 * 16, 10)

    def forward(self, images: Tensor) -> Tensor:
        y: Tensor = self.head(images.flatten(1))
        return y * 2 if y.sum().item() > 0 else y


class BuiltFromNumbers(nn.Module):
    """Only when it is built does it need values."""

    def __init__(self) -> None:
        super().__init__()
        width = int(torch.linspace(1, 32, 5)[-1].item())
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 16 * 16, width), nn.GELU(), nn.Linear(width, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        y: Tensor = self.body(images)
        return y


class WithFixedPart(nn.Module):
    """A part of it computes the same for any number of images, as relative positions do."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.positions = nn.Linear(3 * 16 * 16, 10), nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        fixed: Tensor = self.positions(torch.ones(20, 8, device=images.device)).sum(0)
        return self.head(images.flatten(1)) + fixed


class Encoder(nn.Module):
    """torch's own transformer layer, with dropout, over rows of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(48, 4, 96, dropout=0.1, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, images: Tensor) -> Tensor:
        rows = images.permute(0, 2, 3, 1).flatten(2)
        y: Tensor = self.head(self.layer(rows).mean(1))
        return y
