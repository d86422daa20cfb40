"""Model families. A family is a function from its config to layers; torch is not needed for it."""

from scaling_study.common.extensions import declared
from scaling_study.models import families
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import Network


def family(name: object) -> Family:
    """The FAMILY of a module of `models/families`, or by a dotted path; InputError if none."""
    return declared("model.family", name, Family, families, "my_models.my_family")


def network(model: ModelConfig, outputs: int) -> Network:
    """The layers of `model` with `outputs` outputs; InputError for a setting it cannot have."""
    return family(model.family).network(model, outputs)
