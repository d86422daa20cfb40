"""The interface of a model family: a config class, its layers, and its legal sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.common.validation import require
from scaling_study.models.layers import Network


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
    """A family's FAMILY: what a module declares to become a family. All functions are torch-free.

    `network(config, n_classes)` gives the layers of every size that can be built, and raises
    InputError for the others. The rest are sizes to choose from, as an equal-compute solve does:
    `depths(config)`, ascending; widths `nth_width(k)`, the multiples k of `width_step` from
    `smallest_width(config)` on; image sides are the multiples of the network's `stride`. Depth and
    width of that `config` do not matter.
    """

    config: type[ModelConfig]
    network: Callable[[Any, int], Network]
    depths: Callable[[Any], Sequence[float]]
    width_step: float
    smallest_width: Callable[[Any], float]

    def nth_width(self, k: int) -> float:
        """The width of `k` steps, without the last digits that products of floats have."""
        return round(k * self.width_step, 6)
