"""Finds the kind of a rule: one that ships with the project, or one of the user's own."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from analysis.rules import kinds
from analysis.rules.kind import Kind
from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest


def kind_names() -> list[str]:
    """The kinds that ship with the project: the modules of `analysis/rules/kinds`."""
    return sorted(module.name for module in iter_modules(kinds.__path__))


def find_kind(name: Any, where: str = "kind") -> Kind:
    """The kind called `name`: a module of `analysis/rules/kinds`, or with a dot any module's path.

    Raises:
        InputError: there is none, or the module declares no KIND; `where` is where the name stands.
    """
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise _unknown(name, where)
    path = name if "." in name else f"{kinds.__name__}.{name}"
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        # A kind that exists and lacks a package is another matter.
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        raise _unknown(name, where) from None
    found = getattr(module, "KIND", None)
    if not isinstance(found, Kind):
        raise InputError(f"{where}: {name!r}: {module.__file__} declares no KIND")
    return found


def _unknown(name: Any, where: str) -> InputError:
    known = kind_names()
    near = suggest(name, known) if isinstance(name, str) else ""
    return InputError(
        f"{where}: {name!r}{near}; known: {', '.join(known)}, "
        "or the import path of a module of yours, as in my_rules.my_kind"
    )
