"""Numbers as tables write them: what can be read in two ways is refused, never guessed."""

import math
import re
from collections.abc import Sequence

import numpy as np

from analysis.stats.pareto import Floats

BLANK = ("", "nan", "none", "null", "na", "n/a", "-", "#n/a")
# What a run that diverged has; it has no value either.
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Thousands: 1,014 or 1,014.45 or 1,014,450. A group that begins with 0 is none.
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
# What only somebody writes whose commas separate thousands, and whose points decimals.
POINTS = re.compile(r"[+-]?(\d*\.\d+|[1-9]\d{0,2}(,\d{3}){2,}|[1-9]\d{0,2},\d{3}\.\d+)", re.ASCII)
WRITE = "write plain numbers with a decimal point, as in 0.411 or 1014.45"


def numbers_in(texts: Sequence[object], percent: bool = False) -> Floats:
    """The numbers of a column (n,); NaN where there is none, or an infinite one.

    `percent`: the column is in percent, so that a % behind a number says nothing else.

    Raises:
        ValueError: a text that is no number, or a comma that may separate thousands or decimals;
            the message is a clause that names the value and its row.
    """
    plain = ["" if text is None else str(text).strip() for text in texts]
    if percent:
        plain = [text.removesuffix("%").rstrip() for text in plain]
    thousands = any(POINTS.fullmatch(text) for text in plain)
    numbers = np.empty(len(plain))
    for row, text in enumerate(plain):
        try:
            numbers[row] = _number(text, thousands)
        except ValueError as error:
            raise ValueError(f"holds {text[:60]!r} (row {row + 1}), {error}") from None
    return numbers


def _number(text: str, thousands: bool) -> float:
    if text.lower() in BLANK or INFINITE.fullmatch(text):
        return math.nan
    if GROUPED.fullmatch(text):
        if not thousands:
            raise ValueError(
                f"which is {text.replace(',', '')} or {text.replace(',', '.')}, and no other value "
                f"of the column tells which; {WRITE}"
            )
        text = text.replace(",", "")
    if not PLAIN.fullmatch(text) or math.isinf(value := float(text)):
        raise ValueError(
            f"not a plain number; give every value in one unit and name the unit, and {WRITE}"
        )
    return value
