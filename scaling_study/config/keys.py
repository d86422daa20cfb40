"""Keys of a sweep's configuration: which there are, checked, and the name of a study."""

import re
from collections.abc import Mapping
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import group, refuse_unknown, require, suggest

# Folders may have names of 255 bytes, and figures and archives are named after the study.
LONGEST_NAME = 200
STUDY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# The part of the settings that a run is made of.
RUN_KEYS = ("task", "model", "data", "train", "init", "teacher", "seed", "device", "precision")
# What else an entry point knows at the top level.
FOLDERS = ("results_dir", "cache_dir")
COMMON_KEYS = (*FOLDERS, "checkpoint", "loader", "launcher", "tracking", "metrics_every_s")


def check_keys(settings: Mapping[str, Any], extra: tuple[str, ...] = ()) -> None:
    """Raise an InputError for a top-level setting that nothing reads, or that a run lacks."""
    known = (*RUN_KEYS, *COMMON_KEYS, *extra)
    for key in settings:
        if key not in known:
            raise InputError(f"{key}: no such setting here{suggest(key, known)}")
    for key in RUN_KEYS:
        if key not in settings:
            raise InputError(f"{key} is missing: every run has it; leave out ~{key}")


def key_of(override: str) -> str:
    """The key that an override of the command line sets, adds or removes."""
    return override.lstrip("+~").partition("=")[0]


def check_group(settings: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    """The settings under `key`; raises an InputError unless they are just the `known` ones."""
    values = group(settings, key)
    refuse_unknown(values, known, f"{key}.")
    for name in known:
        require(name in values, key, dict(values), f"{name} is missing")
    return values


def study_name(name: object) -> str:
    """The name of a study and its folder; InputError if not plain, or `runs`, the folder of all."""
    short = isinstance(name, str) and len(name) <= LONGEST_NAME
    if isinstance(name, str) and short and STUDY_NAME.fullmatch(name) and name != "runs":
        return name
    accepted = f"must be letters, digits, '_', '-' and '.', {LONGEST_NAME} at most, and not 'runs'"
    raise InputError(f"grid.name={name!r}: {accepted}")
