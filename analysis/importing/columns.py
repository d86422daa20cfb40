"""Foreign tables as frames with our columns, checked to hold what they are said to hold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.importing.notation import numbers_in
from analysis.importing.units import OURS, conversion, quantity_of
from analysis.stats.pareto import Floats
from scaling_study.common.errors import InputError

TEXT = (
    *("run_id", "config_id", "status", "data", "family", "model", "recipe", "bound", "device"),
    *("precision", "eval_split", "cause", "error", "git_commit", "git_dirty", "versions"),
)
# Between the name and the number of a column whose header has that name several times.
TWIN = " (column "
# Values of one table that differ more than this are in different units.
SPAN = 1e6


def has(frame: pd.DataFrame, name: str) -> bool:
    """Whether a table has a column of this name; InputError if it has two that differ."""
    if name in frame:
        return True
    if twins := [str(c) for c in frame.columns if str(c).startswith(f"{name}{TWIN}")]:
        raise InputError(
            f"the header has {name!r} {len(twins)} times, with different values below; rename "
            f"one, or map the one that you mean, as in --map OURS={twins[0]!r}"
        )
    return False


def _numbers(values: "pd.Series[str]", ours: str, theirs: str, word: str) -> Floats:
    try:
        return numbers_in(values.tolist(), percent="percent" in word.lower())
    except ValueError as error:
        raise InputError(f"{theirs!r} for {ours} {error}") from None


def _check(values: Floats, ours: str, theirs: str, word: str | None) -> None:
    """Refuse values that are not in the unit they are said to be in."""
    known = values[~np.isnan(values)]
    kind = quantity_of(ours)
    what = f"{theirs!r} for {ours}" + (f" (as {word})" if word else "")
    if kind == "error" and (bad := known[(known < 0) | (known > 1)]).size:
        mixed = "mixes units" if word is None and (known <= 1).mean() > 0.05 else "is no fraction"
        raise InputError(
            f"{what} {mixed}: one value becomes {bad[0]:g}, errors lie between 0 and 1; name its "
            "unit, as in percent, accuracy or percent accuracy"
        )
    if kind in ("error", "number") or not known.size:
        return
    low, high = known.min(), known.max()
    if low <= 0:
        raise InputError(f"{what} holds {low:g}: must be positive")
    if high > SPAN * low:
        raise InputError(
            f"{what} goes from {low:g} to {high:g}: mixed units? give every value in one"
        )


def _check_names(frame: pd.DataFrame, columns: Mapping[str, str], units: Mapping[str, str]) -> None:
    for ours in (*columns, *units):
        if ours not in OURS:
            raise InputError(f"no column of ours is called {ours!r}; there are {', '.join(OURS)}")
    if unmapped := [ours for ours in units if ours not in columns]:
        raise InputError(f"a unit for {unmapped[0]}, which no column of the file is mapped to")
    for ours, theirs in columns.items():
        if not has(frame, theirs):
            there = ", ".join(map(str, frame.columns))
            raise InputError(f"no column {theirs!r} (for {ours}); the file has {there}")


def converted(
    frame: pd.DataFrame, columns: Mapping[str, str], units: Mapping[str, str]
) -> pd.DataFrame:
    """A frame with our columns from one with theirs, all texts; `columns` maps ours to theirs.

    Raises:
        InputError: a column that does not exist on either side, an unknown unit, or values that
            cannot be in the unit they are said to be in.
    """
    _check_names(frame, columns, units)
    conversions = {ours: conversion(ours, word) for ours, word in units.items()}
    result: dict[str, pd.Series[Any]] = {}
    for ours, theirs in columns.items():
        if ours in TEXT:
            result[ours] = frame[theirs].astype(str)
            continue
        values = _numbers(frame[theirs], ours, theirs, units.get(ours, ""))
        values = conversions[ours](values) if ours in conversions else values
        _check(values, ours, theirs, units.get(ours))
        result[ours] = pd.Series(values, index=frame.index)
    return pd.DataFrame(result)
