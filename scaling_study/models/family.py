"""What a model family is to the rest: a config class, and a function from it to layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scaling_study.models.layers import Network
from scaling_study.values import require


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every family has: `depth` and `width` scale it, in the family's own units."""

    family: str
    depth: int
    width: float

    def __post_init__(self) -> None:
        require(self.width > 0, "model.width", f"{self.width:g}", "must be above 0")


@dataclass(frozen=True)
class Family:
    """`network(config, n_classes)` gives the layers; it raises InputError where none exist."""

    config: type[ModelConfig]
    network: Callable[[Any, int], Network]
