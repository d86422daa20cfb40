"""Model families. A family is a function from its config to layers; torch is not needed for it."""

import re
from importlib import import_module
from pkgutil import iter_modules

from scaling_study.common.errors import InputError
from scaling_study.models import families
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import Network

MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def family_names() -> list[str]:
    """The families that ship with the project: the modules of `models/families`."""
    return sorted(module.name for module in iter_modules(families.__path__))


def family(name: object) -> Family:
    """The family called `name`: a module of `models/families`, or with a dot any module's path.

    Raises:
        InputError: there is none, or the module declares no FAMILY.
    """
    if not isinstance(name, str) or not MODULE_NAME.fullmatch(name):
        raise _unknown(name)
    path = name if "." in name else f"{families.__name__}.{name}"
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        # A family that exists and lacks a package is another matter.
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        raise _unknown(name) from None
    found = getattr(module, "FAMILY", None)
    if not isinstance(found, Family):
        raise InputError(f"model.family={name}: {module.__file__} declares no FAMILY")
    return found


def _unknown(name: object) -> InputError:
    known = ", ".join(family_names())
    return InputError(
        f"model.family={name!r}: unknown family; known: {known}, "
        "or the import path of a module of yours, as in my_models.my_family"
    )


def network(model: ModelConfig, n_classes: int) -> Network:
    """The layers of `model` with `n_classes` outputs.

    Raises:
        InputError: unknown family, or a setting that the family does not have.
    """
    return family(model.family).network(model, n_classes)
