"""Model families. A family is a function from its config to layers; torch is not needed for it."""

from scaling_study.errors import InputError
from scaling_study.models import resnet
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import Network

FAMILIES: dict[str, Family] = {"resnet": resnet.FAMILY}


def family(name: object) -> Family:
    """The family called `name`.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise InputError(f"model.family={name!r}: unknown family; known: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def network(model: ModelConfig, n_classes: int) -> Network:
    """The layers of `model` with `n_classes` outputs.

    Raises:
        InputError: unknown family, or a depth, width or stem that the family does not have.
    """
    return family(model.family).network(model, n_classes)
