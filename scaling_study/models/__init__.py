"""Model families. A family is a function from its config to layers; torch is not needed for it."""

from collections.abc import Callable

from scaling_study.config import ModelConfig
from scaling_study.errors import InputError
from scaling_study.models import resnet
from scaling_study.models.layers import Network

FAMILIES: dict[str, Callable[[ModelConfig, int], Network]] = {"resnet": resnet.network}


def network(model: ModelConfig, n_classes: int) -> Network:
    """The layers of `model` with `n_classes` outputs.

    Raises:
        InputError: unknown family, or a depth, width or stem that the family does not have.
    """
    if model.family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise InputError(f"model.family={model.family!r}: unknown family; known: {known}")
    return FAMILIES[model.family](model, n_classes)
