"""Columns of a table as numbers, and what a fit refuses."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.forms import Floats, Form
from scaling_study.common.errors import InputError

Column = str | Sequence[float] | Floats


def column(table: Any, value: Column) -> Floats:
    """A column by name, or the values themselves.

    Raises:
        InputError: the table has no such column, or it holds no numbers.
    """
    if not isinstance(value, str):
        return np.asarray(value, dtype=np.float64)
    if value not in table:
        raise InputError(f"no column {value!r}; there are {', '.join(map(str, table))}")
    try:
        return np.asarray(table[value], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {value!r} holds no numbers: {error}") from error


def usable(form: Form, y: Floats, x: Floats, w: Floats) -> Mask:
    """Rows with positive, finite values and weights.

    Raises:
        InputError: lengths differ, or too few rows remain for the form.
    """
    if not len(y) == len(x) == len(w):
        raise InputError(f"columns differ in length: {len(y)}, {len(x)}, {len(w)}")
    values = np.column_stack([y, x, w])
    used = (np.isfinite(values) & (values > 0)).all(axis=1)
    if used.sum() <= form.k:
        raise InputError(
            f"{used.sum()} usable rows of {len(y)} for the {form.k} parameters of form {form.id}; "
            "rows need positive, finite values and weights, and one more than parameters"
        )
    if form.kind == "odds" and y[used].max() >= form.ceiling:
        raise InputError(
            f"{y[used].max():g} is not below the ceiling {form.ceiling:g} of {form.id}"
        )
    return np.asarray(used)


def check_identified(form: Form, x: Floats) -> None:
    """Raises InputError for a variable with one value, or linear terms that cannot be separated."""
    for name, values in zip(form.variables, x.T, strict=True):
        if np.ptp(values) < 1e-9:
            raise InputError(f"{name} has one value only, so form {form.id} cannot be fitted")
    if form.kind == "log" and not form.exponents:
        phi, _ = form.terms(np.empty(0), x)
        if (rank := int(np.linalg.matrix_rank(phi))) < form.k:
            raise InputError(
                f"the points carry {rank} of the {form.k} terms of form {form.id}; "
                "more levels are needed, or a form with fewer terms"
            )
