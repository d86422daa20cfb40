"""Foreign tables as frames with our columns, checked to hold what they are said to hold."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.importing.units import OURS, conversion, quantity_of
from analysis.stats.pareto import Floats
from scaling_study.common.errors import InputError

TEXT = (
    *("run_id", "config_id", "status", "data", "family", "model", "recipe", "bound", "device"),
    *("precision", "eval_split", "error", "git_commit", "git_dirty", "versions"),
)
# Values of one table that differ more than this are in different units.
SPAN = 1e6


def number(text: object) -> float:
    """A number as written in tables: 1,014.45 is a thousand; NaN where there is none."""
    plain = "" if text is None else str(text).strip()
    if plain.lower() in ("", "nan", "none", "null", "na", "n/a"):
        return float("nan")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    return float(plain)


def _numbers(values: "pd.Series[str]", ours: str, theirs: str) -> Floats:
    numbers = np.empty(len(values))
    for row, text in enumerate(values):
        try:
            numbers[row] = number(text)
        except ValueError:
            raise InputError(
                f"{theirs!r} for {ours} holds {text!r} (row {row + 1}), not a plain number; give "
                "every value in one unit and name the unit"
            ) from None
    return numbers


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
        if theirs not in frame:
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
        values = _numbers(frame[theirs], ours, theirs)
        values = conversions[ours](values) if ours in conversions else values
        _check(values, ours, theirs, units.get(ours))
        result[ours] = pd.Series(values, index=frame.index)
    return pd.DataFrame(result)
