"""Foreign tables as frames with our columns, checked to hold what they are said to hold."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.importing.units import OURS, quantity_of, unit_of
from analysis.stats.pareto import Floats
from scaling_study.common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

TEXT = (
    *("run_id", "config_id", "status", "data", "family", "model", "recipe", "bound", "device"),
    *("precision", "eval_split", "error", "git_commit", "git_dirty", "versions"),
)
# Values of one table that differ more than this are in different units.
SPAN = 1e6


def number(text: object) -> float:
    """A number as written in tables: 1,014.45 is a thousand; NaN where there is none."""
    if text is None or str(text).strip().lower() in ("", "nan", "none", "null", "na", "n/a"):
        return float("nan")
    plain = str(text).strip()
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
    unit = f" (as {word})" if word else ""
    if kind == "error" and ((known < 0) | (known > 1)).any():
        mixed = "mixes units" if word is None and (known <= 1).mean() > 0.05 else "is no fraction"
        bad = known[(known < 0) | (known > 1)][0]
        raise InputError(
            f"{theirs!r} for {ours}{unit} {mixed}: one value becomes {bad:g}, errors lie between "
            "0 and 1; name its unit, as in percent, accuracy or percent accuracy"
        )
    if kind not in ("error", "number") and (known <= 0).any():
        raise InputError(f"{theirs!r} for {ours}{unit} holds {known.min():g}: must be positive")
    if kind not in ("error", "number") and known.size and known.max() > SPAN * known.min():
        raise InputError(
            f"{theirs!r} for {ours}{unit} goes from {known.min():g} to {known.max():g}: mixed "
            "units? give every value in one"
        )


def _check_names(
    frame: "pd.DataFrame", columns: Mapping[str, str], units: Mapping[str, str]
) -> None:
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
    frame: "pd.DataFrame", columns: Mapping[str, str], units: Mapping[str, str]
) -> "pd.DataFrame":
    """A frame with our columns from one with theirs, all texts; `columns` maps ours to theirs.

    Raises:
        InputError: a column that does not exist on either side, an unknown unit, or values that
            cannot be in the unit they are said to be in.
    """
    import pandas as pd

    _check_names(frame, columns, units)
    known = {ours: unit_of(ours, word) for ours, word in units.items()}
    result: dict[str, pd.Series[Any]] = {}
    for ours, theirs in columns.items():
        if ours in TEXT:
            result[ours] = frame[theirs].astype(str)
            continue
        unit = known.get(ours)
        values = _numbers(frame[theirs], ours, theirs)
        values = unit.convert(values) if unit else values
        _check(values, ours, theirs, units.get(ours))
        result[ours] = pd.Series(values, index=frame.index)
    return pd.DataFrame(result)
