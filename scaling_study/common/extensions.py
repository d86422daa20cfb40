"""Finds what a module declares: one that ships with the project, or one of the user's own."""

import re
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

from scaling_study.common.errors import InputError

MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
T = TypeVar("T")


# Modules of a folder of extensions that are none: what all of them are, and programs of users.
NO_EXTENSIONS = {"base", "program"}


def module_names(folder: ModuleType) -> list[str]:
    """The modules of a folder, sorted, but for `NO_EXTENSIONS`."""
    return sorted({module.name for module in iter_modules(folder.__path__)} - NO_EXTENSIONS)


def module_called(name: object, folder: str) -> ModuleType | None:
    """A module of `folder`, or with a dot in its name any module; None if no module has it."""
    if not isinstance(name, str) or not MODULE_NAME.fullmatch(name):
        return None
    path = name if "." in name else f"{folder}.{name}"
    if (known := sys.modules.get(path)) is not None:
        return known  # has been run already; plans and verdicts ask hundreds of times
    if (store := _store_of(path)) is not None:
        raise InputError(f"{name}: it lies in {store}, a store of results, whose files are not run")
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        # A module that exists and lacks a package is another matter.
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        return None


def _store_of(module: str) -> Path | None:
    """The store of results below an entry of the import path that has this module, if one has.

    Others may write there, and a run's file that says so must not make us execute theirs.
    """
    for entry in sys.path:
        folder = Path(entry)
        for part in module.split(".")[:-1]:
            folder = folder / part
            if any((place / ".lock").exists() for place in (folder / "runs", folder)):
                return folder
    return None


def declared(setting: str, name: object, kind: type[T], folder: ModuleType, example: str) -> T:
    """The value of type `kind` that the module called `name` declares, in capitals as its type:
    FAMILY, DATA_SET.

    A name without a dot is a module of `folder`; one with a dot is any module's import path, of
    which `example` is one. `setting` is the config key with the name, for messages.
    InputError if there is no such module, or it declares no such value.
    """
    words = re.findall(r"[A-Z][a-z]*", kind.__name__)
    if (module := module_called(name, folder.__name__)) is None:
        raise InputError(
            f"{setting}={name!r}: unknown {' '.join(words).lower()}; known: "
            f"{', '.join(module_names(folder))}, or the import path of a module of yours, as in "
            f"{example}"
        )
    attribute = "_".join(words).upper()
    if not isinstance(found := getattr(module, attribute, None), kind):
        raise InputError(f"{setting}={name}: {module.__file__} declares no {attribute}")
    return found
