"""Regularisation that grows with training length and size: a table of rows in a recipe's YAML.

A setting whose value is `regime` takes its value from the rows of `train.regimes`: a row holds for
runs that are at least as long, deep, wide and large as it says, and later rows win. A number in
the setting's place is left as it is. A run records the numbers; the table is not part of it.
"""

from collections.abc import Container, Mapping, Sequence
from copy import deepcopy
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import group, require, suggest

REGIME = "regime"
NO_ROW = (
    "no row of train.regimes says it; give a number, or a recipe that has one, such as train=paper"
)
GROUPS = ("model", "data", "train")


def resolve(
    values: Mapping[str, Any], axes: Mapping[str, str], known: Mapping[str, Container[str]]
) -> dict[str, Any]:
    """`values` of a run without the table, and with its number wherever `regime` stood.

    `axes` maps short names of axes to config keys. `known` are the settings that the run's parts
    have: a recipe may say `regime` for others too, which a data set or model then goes without.
    InputError for a row that is none, or a setting that no row gives a value.
    """
    resolved = {**values, **{name: dict(group(values, name)) for name in GROUPS}}
    found: dict[str, Any] = {}
    for row in _rows(resolved["train"].pop("regimes", []), axes):
        bounds = {axis: bound for axis, bound in row.items() if axis != "set"}
        if all(_value(resolved, axes[axis]) >= bound for axis, bound in bounds.items()):
            found |= row["set"]
    for name in GROUPS:
        for key, value in list(resolved[name].items()):
            if value == REGIME and key not in known[name]:
                del resolved[name][key]
            elif value == REGIME:
                path = f"{name}.{key}"
                require(path in found, path, REGIME, NO_ROW)
                resolved[name][key] = deepcopy(found[path])
    return resolved


def _rows(rows: object, axes: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(rows, list):
        raise InputError(f"train.regimes={rows!r}: must be a list of rows")
    for row in rows:
        if not isinstance(row, Mapping) or not isinstance(row.get("set"), Mapping):
            raise InputError(f"train.regimes: {row!r} is no row, as in {{epochs: 101, set: {{…}}}}")
        for axis, bound in row.items():
            if axis != "set" and axis not in axes:
                near = suggest(str(axis), list(axes))
                raise InputError(f"train.regimes: {axis}: no such axis{near}")
            if axis != "set" and not isinstance(bound, int | float):
                raise InputError(f"train.regimes: {axis}={bound!r}: must be a number")
    return rows


def _value(values: Mapping[str, Any], key: str) -> float:
    """The number that a run has on an axis."""
    section, _, name = key.rpartition(".")
    value = (values[section] if section else values).get(name)
    if isinstance(value, int | float):
        return float(value)
    raise InputError(f"{key}={value!r}: must be a number")
