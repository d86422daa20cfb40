"""The settings of a command with other files of some groups, as if these had been typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import (
    COMPOSING,
    chosen_files,
    composed,
    in_one_sentence,
    search_path,
)
from scaling_study.config.keys import RUN_KEYS, key_of
from scaling_study.config.scale_dependent import GROUPS

PRESET = "preset"


def with_files(
    base: Mapping[str, Any], overrides: Sequence[str], files: Mapping[str, str]
) -> dict[str, Any]:
    """`base`, the settings of a command with `overrides`, with other `files` by their groups.

    These groups are as the files have them. In other groups they set what they would have set if
    they had been chosen, as recipes do, but not what a grid's file or an override has set.

    InputError for a file that is not there.
    """
    words = [text for text in overrides if key_of(text).partition(".")[0] in (*RUN_KEYS, PRESET)]
    values = [text for text in words if key_of(text) not in GROUPS]
    others = [text for text in values if key_of(text).partition(".")[0] not in files]
    try:
        found = chosen_files("sweep", [*search_path(), *overrides_of_grid(overrides), *words])
        own = {group: found[group] for group in GROUPS}
        before = composed("sweep", [*search_path(), *values, *_typed(own)])
        after = composed("sweep", [*search_path(), *others, *_typed({**own, **files})])
    except COMPOSING as error:
        raise InputError(f"{', '.join(_typed(files))}: {in_one_sentence(error)}") from None
    return dict(base) | {
        group: after[group]
        if group in files
        else _changed(base[group], before[group], after[group])
        for group in GROUPS
    }


def overrides_of_grid(overrides: Sequence[str]) -> list[str]:
    """Those that choose a grid: its file may choose files of groups."""
    return [text for text in overrides if text.startswith("+grid=")]


def _typed(files: Mapping[str, str]) -> list[str]:
    return [f"{group}={name}" for group, name in files.items()]


def _changed(
    base: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """`base` with what changes from `before` to `after`, where it has what was before."""
    new = {key: value for key, value in after.items() if base.get(key) == before.get(key)}
    return {**base, **{key: value for key, value in new.items() if before.get(key) != value}}
