"""The interface of a model family: a config class, its layers, and its legal sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scaling_study.common.validation import require
from scaling_study.models.layers import Network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """`depth` and `width` in a family's own units; one that counts layers declares `depth: int`."""

    family: str
    depth: float
    width: float

    def __post_init__(self) -> None:
        require(self.depth > 0, "model.depth", f"{self.depth:g}", "must be above 0")
        require(self.width > 0, "model.width", f"{self.width:g}", "must be above 0")


def require_legal(model: Any, choices: Mapping[str, Sequence[str]]) -> None:
    """InputError for a value that `choices` lacks, or a ratio, momentum or rate out of bounds."""
    for name, known in choices.items():
        value, accepted = getattr(model, name), f"unknown {name}; known: {', '.join(known)}"
        require(value in known, f"model.{name}", repr(value), accepted)
    momentum = model.bn_momentum
    require(0 <= model.se_ratio <= 1, "model.se_ratio", model.se_ratio, "must be in [0, 1]")
    require(0 < momentum <= 1, "model.bn_momentum", momentum, "must be in (0, 1]")
    for name in ("dropout", "stochastic_depth"):
        rate = getattr(model, name)
        require(0 <= rate < 1, f"model.{name}", rate, "must be in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family's FAMILY: what a module declares to become a family. It has one of two functions.

    `network(config, outputs)` gives the layers of every size that can be built, without torch.
    `build(config, outputs, resolution)` gives any module from images (N, 3, side, side) to
    (N, outputs); it imports torch when it is called, and `models.counting` counts what it makes.
    Both raise InputError for sizes that cannot be built.

    The rest are sizes to choose from, as an equal-compute solve does, without torch:
    `depths(config)`, ascending; widths `nth_width(k)`, the multiples k of `width_step` from
    `smallest_width(config)` on; image sides are the multiples of the network's stride, px, which a
    family with `build` declares as `stride(config)`. Depth and width of that `config` may be any.

    `undecayed` are patterns (`*.temperature`) of names of parameters that weight decay must spare,
    whatever the recipe says. `recipes` are those that suit the family; a plan with another one
    says so. Empty: all do.
    """

    config: type[ModelConfig]
    network: Callable[[Any, int], Network] | None = None
    build: Callable[[Any, int, int], nn.Module] | None = None
    depths: Callable[[Any], Sequence[float]]
    width_step: float
    smallest_width: Callable[[Any], float]
    stride: Callable[[Any], int] | None = None
    undecayed: Sequence[str] = ()
    recipes: Sequence[str] = ()

    def __post_init__(self) -> None:
        one = (self.network is None) != (self.build is None)
        accepted = "a family declares either network or build, and with build its stride"
        require(one and (self.build is None) == (self.stride is None), "FAMILY", self, accepted)

    def nth_width(self, k: int) -> float:
        """The width of `k` steps, without the last digits that products of floats have."""
        return round(k * self.width_step, 6)

    def image_step(self, model: Any, outputs: int) -> int:
        """Image sides are the multiples of this number of px."""
        if self.stride is not None:
            return self.stride(model)
        assert self.network is not None
        return self.network(model, outputs).stride
