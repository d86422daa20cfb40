"""Families as frames: a speed-up for any two tables whose columns the caller names."""

import math

import numpy as np
import pandas as pd

from analysis.stats.pareto import Floats
from analysis.stats.speedup import Family, Speedup, speedup_of
from analysis.study.noise_prior import published_prior
from scaling_study.common.errors import InputError
from scaling_study.tasks.classification import prior_sd


def positive(frame: pd.DataFrame, column: str) -> Floats:
    """A column as floats.

    Raises:
        InputError: no such column, or a value is missing, no number or not positive.
    """
    if column not in frame:
        raise InputError(f"no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    try:
        values = frame[column].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {column!r} must hold numbers: {error}") from None
    if not (np.isfinite(values) & (values > 0)).all():
        at = int(np.argmin(np.isfinite(values) & (values > 0)))
        raise InputError(f"column {column!r} holds {values[at]:g} (row {at + 1}): must be positive")
    return values


def family_of(
    frame: pd.DataFrame,
    cost: str,
    error: str = "val_error",
    *,
    error_sd: Floats | None = None,
    error_df: float = math.inf,
    n_val: int | None = None,
) -> Family:
    """One model per row of a frame; `error` is a fraction, `cost` in any unit.

    `error_sd` is the SD of an error between seeds, known with `error_df` degrees of freedom;
    without it, the prior of `n_val` evaluation images, and none if that is unknown too.

    Raises:
        InputError: a column is missing, holds no positive numbers, or an error is above 1.
    """
    errors, costs = positive(frame, error), positive(frame, cost)
    if errors.max() > 1:
        raise InputError(f"column {error!r} holds {errors.max():g}: errors are fractions up to 1")
    if error_sd is None:
        factor = published_prior().factor(None, None)
        error_sd = np.array([factor.scale * prior_sd(e, n_val) if n_val else 0.0 for e in errors])
        error_df = factor.df
    names = frame["model"] if "model" in frame else range(1, len(frame) + 1)
    exact = np.zeros(errors.shape)
    return Family(tuple(map(str, names)), costs, errors, exact, exact, error_sd, error_df)


def speedup_between(a: Family, b: Family) -> Speedup:
    """`speedup_of` for data of users.

    Raises:
        InputError: the families share no range of accuracy.
    """
    try:
        return speedup_of(a, b)
    except ValueError as error:
        ranges = " and ".join(
            f"{100 * f.error.min():.1f}-{100 * f.error.max():.1f} %" for f in (a, b)
        )
        raise InputError(f"{error} (errors {ranges}); compare models of similar error") from None
