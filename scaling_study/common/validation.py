"""Plain values, as YAML and the command line give them, into checked dataclasses."""

import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, fields
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

from scaling_study.common.errors import InputError

T = TypeVar("T")
# Beyond it floats do not tell whole numbers apart.
MOST = 2**53
LARGEST = sys.float_info.max
# Metadata of settings that say where something lies, and of settings that were added later.
INFRASTRUCTURE: Mapping[str, bool] = {"infrastructure": True}
LATER: Mapping[str, bool] = {"later": True}
# What a setting of a plain type takes.
ACCEPTED = {float: "a finite number", int: "a whole number", bool: "true or false", str: "a name"}


def later(neutral: Any) -> Any:
    """A setting that runs from before it do not have: without it they had `neutral`.

    Where it is not given it is `neutral`, and there it is left out of a run's id.
    """
    return field(default=neutral, metadata=LATER)


def identity(value: Any) -> dict[str, Any]:
    """The settings of a dataclass that decide a run's numbers, as its id has them."""
    return {
        known.name: getattr(value, known.name)
        for known in fields(value)
        if not known.metadata.get("infrastructure")
        and not (known.metadata.get("later") and getattr(value, known.name) == known.default)
    }


def require(ok: bool, key: str, value: object, accepted: str) -> None:
    """Raise an InputError that names the value and what is accepted, unless `ok`."""
    if not ok:
        raise InputError(f"{key}={value}: {accepted}")


def flat_items(
    values: Mapping[str, Any], prefix: str = "", empty: bool = False
) -> Iterator[tuple[str, Any]]:
    """Dotted names of all settings that are no groups, or `empty` ones, with their values."""
    for name, value in values.items():
        if isinstance(value, Mapping) and (value or not empty):
            yield from flat_items(value, f"{prefix}{name}.", empty)
        else:
            yield prefix + name, value


def suggest(name: str, known: Sequence[str]) -> str:
    """' (did you mean ...?)' for the nearest known name, or an empty string."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def refuse_unknown(values: Iterable[str], known: Sequence[str], path: str) -> None:
    """Raise an InputError that names the first of `values`, under `path`, that is not `known`."""
    for name in values:
        if name not in known:
            raise InputError(f"{path}{name}: no such setting{suggest(name, known)}")


def group(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The settings under `key`; raises an InputError if it is one value, or missing."""
    if not isinstance(value := values.get(key), Mapping):
        raise InputError(f"{key}={value!r}: must be a group of settings")
    return value


def from_values(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    """A dataclass of numbers, names and flags from plain values, whose keys begin with `path`.

    InputError for an unknown or missing key, or a value of the wrong type or out of bounds.
    """
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    types = _types(cls)  # type: ignore[arg-type]
    refuse_unknown(values, list(known), path)
    given = {**{name: f.default for name, f in known.items() if f.metadata.get("later")}, **values}
    return cls(
        **{name: one_value(kind, given.get(name), path + name) for name, kind in types.items()}
    )


@cache
def _types(cls: Hashable) -> dict[str, Any]:
    """The types of a dataclass's fields, also where its module has `annotations` as text."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}  # type: ignore[arg-type]


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def one_value(kind: Any, value: object, key: str) -> Any:
    """`value` as `kind`, so that 1 and 1.0 name the same run; anything lossy is refused."""
    if type(None) in (kinds := get_args(kind)):
        (kind,) = (k for k in kinds if k is not type(None))
        return None if value is None else one_value(kind, value, key)
    if isinstance(kind, UnionType):
        return _one_of(kinds, value, key)
    if get_origin(kind) is Mapping and isinstance(value, Mapping):
        return {name: one_value(kinds[1], part, f"{key}.{name}") for name, part in value.items()}
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(one_value(kinds[0], part, key) for part in value)
    if is_number(value) and abs(value) <= LARGEST:
        if kind is float:
            return float(value)
        if kind is int and float(value) == int(value) and abs(value) <= MOST:
            return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    lists = "a list of names" if str in kinds else "a list of numbers"
    accepted = {tuple: lists, Mapping: "a group of settings"} | ACCEPTED
    raise InputError(f"{key}={value!r}: must be {accepted[get_origin(kind) or kind]}")


def _one_of(kinds: Sequence[Any], value: object, key: str) -> Any:
    """`value` as the first of `kinds` that takes it; InputError if none does."""
    refused = []
    for kind in kinds:
        try:
            return one_value(kind, value, key)
        except InputError as error:
            refused.append(str(error).rpartition("must be ")[2])
    raise InputError(f"{key}={value!r}: must be {' or '.join(refused)}")
