"""Settings that a rule names: what it compares, and at which others (`at: {depth: 50}`)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from analysis.rules.grid_names import GridNames
from analysis.study.columns import Level
from analysis.study.matched_cells import Settings
from scaling_study.common.errors import InputError


class TwoLevels(NamedTuple):
    """Two `levels` of the setting `along`, compared where the settings `at` have those values."""

    along: str
    levels: tuple[Level, Level]
    at: Settings = ()


class LevelsBetween(NamedTuple):
    """How two levels (`compared`) differ at the first value of the setting `by`, minus at another.

    `between` has both values.
    """

    compared: TwoLevels
    by: str
    between: tuple[Level, Level]

    def at(self, level: Level) -> Settings:
        """The settings of one of the two comparisons."""
        return (*self.compared.at, (self.by, level))


def level_of(value: Any, where: str) -> Level:
    """A value of a setting; InputError unless it is a number or a name."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {value!r} must be a number or a name")
    return float(value)


def two_levels(declared: Mapping[str, Any], where: str) -> TwoLevels:
    """The two levels that a rule compares; InputError where they are not declared as such."""
    along, levels = declared.get("along"), declared.get("levels")
    if not isinstance(along, str) or not along:
        raise InputError(
            f"{where}.along: {along!r} must name an axis (depth, width, resolution, epochs, "
            "lr), variant, or a config key that the grid varies"
        )
    if not isinstance(levels, list | tuple) or len(levels) != 2 or levels[0] == levels[1]:
        raise InputError(f"{where}.levels: {levels!r} must be two different values of {along}")
    first, second = (level_of(v, f"{where}.levels") for v in levels)
    return TwoLevels(along, (first, second), settings_at(declared, where))


def levels_between(declared: Mapping[str, Any], where: str) -> LevelsBetween:
    """Two levels and what their difference may depend on; InputError unless declared as such."""
    compared = two_levels(declared, where)
    by, between = declared.get("by"), declared.get("between")
    if not isinstance(by, str) or not by or by == compared.along:
        raise InputError(
            f"{where}.by: {by!r} must name the setting on which the difference of both levels may "
            f"depend: an axis, variant or target other than {compared.along}"
        )
    if not isinstance(between, list | tuple) or len(between) != 2 or between[0] == between[1]:
        raise InputError(f"{where}.between: {between!r} must be two different values of {by}")
    first, second = (level_of(v, f"{where}.between") for v in between)
    return LevelsBetween(compared, by, (first, second))


def settings_at(declared: Mapping[str, Any], where: str) -> Settings:
    """The settings `at` which a rule compares; InputError unless they are names with values."""
    at = declared.get("at") or {}
    if not isinstance(at, Mapping):
        raise InputError(f"{where}.at: {at!r} must map settings to values, as in {{depth: 50}}")
    return tuple((str(key), level_of(v, f"{where}.at.{key}")) for key, v in at.items())


def check_two_levels(grid: GridNames, compared: TwoLevels, where: str) -> None:
    """Raises InputError unless the grid has the setting, both of its levels, and those `at`."""
    grid.check_setting(compared.along, f"{where}.along")
    for level in compared.levels:
        grid.check_value(compared.along, level, f"{where}.levels")
    check_settings(grid, compared.at, where)


def check_levels_between(grid: GridNames, own: LevelsBetween, where: str) -> None:
    """Raises InputError unless the grid has both settings with these values."""
    check_two_levels(grid, own.compared, where)
    grid.check_setting(own.by, f"{where}.by")
    for value in own.between:
        grid.check_value(own.by, value, f"{where}.between")


def check_settings(grid: GridNames, settings: Settings, where: str) -> None:
    """Raises InputError unless the grid has the settings `at` which a rule compares."""
    for name, value in settings:
        grid.check_setting(name, f"{where}.at")
        grid.check_value(name, value, f"{where}.at")


def level_name(along: str, level: Level) -> str:
    """A level in words, as in `resolution 32`; a variant has a name of its own."""
    text, short = f"{level:g}" if isinstance(level, float) else level, along.rpartition(".")[2]
    return text if short == "variant" else f"{short} {text}"


def level_names(along: str, levels: tuple[Level, Level]) -> tuple[str, str]:
    """Both levels of a setting in words, see `level_name`."""
    first, second = (level_name(along, level) for level in levels)
    return first, second
