"""Model families. A family is a function from its config to layers; or to a torch module."""

from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.extensions import declared
from scaling_study.common.source import digest, sources_of
from scaling_study.models import families
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import Network
from scaling_study.models.timm_family import PREFIX, family_of_timm, version


def family(name: object) -> Family:
    """The FAMILY of a module of `models/families`, by a dotted path, or a network of timm's.

    InputError if there is none.
    """
    if isinstance(name, str) and name.startswith(PREFIX):
        return family_of_timm(name)
    return declared("model.family", name, Family, families, "my_models.my_family")


def network(model: ModelConfig, outputs: int) -> Network:
    """The layers of `model` with `outputs` outputs; InputError for a setting it cannot have.

    InputError too for a family that builds modules, which have no layer values.
    """
    found = family(model.family)
    if found.network is None:
        raise InputError(f"model.family={model.family}: it builds modules, which are not layers")
    return found.network(model, outputs)


def family_sources(name: str) -> dict[str, str]:
    """Digests of the source files that a family is made of, by their modules' names.

    Of timm's networks it is timm's version.
    """
    if name.startswith(PREFIX):
        return {"timm": version()}
    if "." in name:
        return sources_of(name)
    return {name: digest(Path(families.__path__[0]) / f"{name}.py")}
