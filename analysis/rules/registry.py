"""Finds the kind of a rule: one that ships with the project, or one of the user's own."""

from functools import cache
from typing import Any

from analysis.rules import kinds
from analysis.rules.kind import Kind
from scaling_study.common.errors import InputError
from scaling_study.common.extensions import declared, module_names
from scaling_study.common.validation import suggest

EXAMPLE = "my_rules.my_kind"


@cache
def kind_names() -> list[str]:
    """The kinds that ship with the project: the modules of `analysis/rules/kinds`."""
    return module_names(kinds)


def find_kind(name: Any, where: str = "kind") -> Kind:
    """The kind called `name`: a module of `analysis/rules/kinds`, or with a dot any module's path.

    Raises:
        InputError: there is none, or the module declares no KIND; `where` is the key of the name.
    """
    if not isinstance(name, str) or ("." not in name and name not in kind_names()):
        near = suggest(name, kind_names()) if isinstance(name, str) else ""
        raise InputError(
            f"{where}: {name!r}{near}; known: {', '.join(kind_names())}, "
            f"or the import path of a module of yours, as in {EXAMPLE}"
        )
    return declared(where, name, Kind, kinds, EXAMPLE)
