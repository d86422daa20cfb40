"""Settings and values that a grid has, for the names that rules use."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.study.columns import SETTINGS, Level, own_axes
from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest

# All values that a setting has in the grid.
Values = Callable[[str], Iterable[Any]]


@dataclass(frozen=True)
class GridNames:
    """`names` are the settings that rules may use; `values` gives what each has in the grid."""

    names: tuple[str, ...]
    values: Values

    def check_setting(self, name: str, where: str) -> None:
        """Raises InputError unless the grid has an axis or setting of that name."""
        if name not in self.names:
            raise InputError(
                f"{where}: this grid has no axis or setting called {name}"
                f"{suggest(name, self.names)}; known: {', '.join(self.names)}"
            )

    def check_value(self, name: str, level: Level, where: str) -> None:
        """Raises InputError unless a run of the grid has that value of a setting."""
        found = {_level(v) for v in self.values(name) if v is not None}
        if level not in found:
            text = level if isinstance(level, str) else f"{level:g}"
            near = suggest(text, [v for v in found if isinstance(v, str)])
            raise InputError(f"{where}: no run has {name} {text}{near}; there are {listed(found)}")


def grid_names(grid: Mapping[str, Any], values: Values) -> GridNames:
    """The axes, what cells are called (variant, target), and the keys that the grid crosses."""
    named = [name for name in ("variant", "target") if any(values(name))]
    own = [axis.name for axis in own_axes(grid) if axis.name not in SETTINGS]
    return GridNames((*SETTINGS, *named, *own), values)


def listed(values: Collection[Level]) -> str:
    """Values in words, numbers first."""
    ordered = sorted(values, key=lambda v: (isinstance(v, str), v))
    return ", ".join(f"{v:g}" if isinstance(v, float) else v for v in ordered)


def _level(value: Any) -> Level:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
