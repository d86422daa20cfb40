"""Keys of a sweep's configuration: which there are, checked, and the name of a study."""

import re
from collections.abc import Mapping
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import group, refuse_unknown, require, suggest

STUDY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# The part of the settings that a run is made of.
RUN_KEYS = ("task", "model", "data", "train", "init", "seed", "device", "precision")
# What else an entry point knows at the top level.
COMMON_KEYS = (
    *("results_dir", "cache_dir", "checkpoint", "loader", "launcher", "tracking"),
    "metrics_every_s",
)


def check_keys(settings: Mapping[str, Any], extra: tuple[str, ...] = ()) -> None:
    """Refuse top-level settings that nothing reads.

    Raises:
        InputError: a setting that is neither part of a run nor known to the entry point.
    """
    known = (*RUN_KEYS, *COMMON_KEYS, *extra)
    for key in settings:
        if key not in known:
            raise InputError(f"{key}: no such setting here{suggest(key, known)}")


def check_group(settings: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    """The settings under `key`, which are just those that are `known`.

    Raises:
        InputError: one too many or too few.
    """
    values = group(settings, key)
    refuse_unknown(values, known, f"{key}.")
    for name in known:
        require(name in values, key, dict(values), f"{name} is missing")
    return values


def study_name(name: object) -> str:
    """A grid's name, which names the study's folder.

    Raises:
        InputError: it is no plain name, or that of the folder of all runs.
    """
    if not isinstance(name, str) or not STUDY_NAME.fullmatch(name) or name == "runs":
        raise InputError(
            f"grid.name={name!r}: must be letters, digits, '_', '-' and '.', and not 'runs'"
        )
    return name
