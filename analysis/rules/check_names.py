"""Names and values in declared rules that the grid does not have.

They are found before anything is paid for. What a rule says of its own form is checked where it is
read (`rules.py`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from analysis.rules.pilot import Planning
from analysis.rules.rule import Preregistration, Rule
from analysis.study.columns import SETTINGS, Level, own_axes
from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest

# All values that a setting has in the grid.
Values = Callable[[str], Iterable[Any]]


def check(
    prereg: Preregistration, planning: Planning, grid: Mapping[str, Any], values: Values
) -> None:
    """Compare what rules and `planning` name with what the grid has.

    `values` gives all values that the planned cells, and points left out of the plan, have of an
    axis (depth, width, resolution, epochs, lr), of `variant` and `target`, or of a config key.

    Raises:
        InputError: a setting, a level or a length of training that the grid does not have.
    """
    lengths = {float(e) for e in values("epochs")} if planning else set()
    for epochs in planning:
        if epochs not in lengths:
            raise InputError(
                f"grid.planning.{epochs}: the grid has no run of {epochs} epochs; "
                f"it has {_listed(lengths)}"
            )
    names = _names(grid, values)
    for rule in prereg.rules:
        if rule.kind == "levels":
            _check_rule(rule, names, values)


def _names(grid: Mapping[str, Any], values: Values) -> list[str]:
    """What rules may be along: axes, what cells are called, and the keys that the grid crosses."""
    named = [name for name in ("variant", "target") if any(values(name))]
    own = [axis.name for axis in own_axes(grid) if axis.name not in SETTINGS]
    return [*SETTINGS, *named, *own]


def _check_rule(rule: Rule, names: Sequence[str], values: Values) -> None:
    where = f"rules.rules.{rule.name}"
    _known(rule.along, names, f"{where}.along")
    for level in rule.levels:
        _has(rule.along, level, values, f"{where}.levels")
    for name, value in rule.at:
        _known(name, names, f"{where}.at")
        _has(name, value, values, f"{where}.at")


def _known(name: str, names: Sequence[str], where: str) -> None:
    if name not in names:
        raise InputError(
            f"{where}: {name} is nothing that this grid varies on its own{suggest(name, names)}; "
            f"known: {', '.join(names)}"
        )


def _has(name: str, level: Level, values: Values, where: str) -> None:
    found = {_level(v) for v in values(name) if v is not None}
    if level not in found:
        names = [v for v in found if isinstance(v, str)]
        shown = level if isinstance(level, str) else f"{level:g}"
        near = suggest(shown, names)
        raise InputError(f"{where}: no run has {name} {shown}{near}; there are {_listed(found)}")


def _level(value: Any) -> Level:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _listed(values: Collection[Level]) -> str:
    ordered = sorted(values, key=lambda v: (isinstance(v, str), v))
    return ", ".join(f"{v:g}" if isinstance(v, float) else v for v in ordered)
