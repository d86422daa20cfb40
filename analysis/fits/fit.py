"""Fit a form to a table: `fit(table, form, y=..., x=...)`, for any columns of any table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from analysis.fits.descent import Mask, Problem
from analysis.fits.forms import Floats, Form, log_value
from analysis.fits.inputs import Column, check_identified, column, usable
from analysis.fits.laws import form_of
from analysis.fits.varpro import Minimum, bounds_of, huber, minimise
from scaling_study.common.errors import InputError

Loss = Literal["squares", "huber"]


@dataclass(frozen=True)
class Fit:
    """A form with the parameters that minimise the loss, and what to judge them by.

    `vector` holds the exponents, then ln(coefficient) (forms of kind `log`: the coefficient), for
    variables divided by their geometric means, whose logs are `centre`. `loss` is the sum of w r^2
    (squares) or of w h(r) with Huber's h, r = ln(y) - ln(form). `at_bound` names parameters
    at a bound, `condition` is that of J'J of the others, `converged` of `starts` ended at the
    optimum and `accepted` says that two optimisers agree on it to 1e-6. Arrays have a row per
    point that was `used`; `excluded` rows had a value that is not positive and finite.
    """

    form: Form
    columns: tuple[str, ...]
    vector: Floats
    centre: Floats
    problem: Problem
    residuals: Floats
    groups: tuple[Any, ...]
    used: Mask
    loss_kind: Loss
    loss: float
    at_bound: tuple[str, ...]
    condition: float
    starts: int
    converged: int
    accepted: bool

    @property
    def parameters(self) -> Mapping[str, float]:
        """By name, in the units of the columns."""
        return self.in_units(self.vector)

    @property
    def n(self) -> int:
        return len(self.residuals)

    @property
    def excluded(self) -> int:
        return int((~self.used).sum())

    @property
    def df(self) -> int:
        """Points minus parameters."""
        return self.n - self.form.k

    @property
    def variance(self) -> float:
        """Residual variance at weight 1: sum(w r^2) / (n - k)."""
        return float(np.sum(self.problem.weights * self.residuals**2)) / self.df

    def in_units(self, vector: Floats) -> dict[str, float]:
        """A parameter vector in the units of the columns; coefficients, not their logs."""
        split = len(self.form.exponents)
        theta, c = self.form.in_units(vector[:split], vector[split:], self.centre)
        if self.form.kind != "log":
            zero = vector[split:] <= self.problem.low[split:] + 1e-6
            c = np.where(zero, 0.0, np.exp(c))
        return dict(zip(self.form.parameters, np.append(theta, c).tolist(), strict=True))

    def centred(self, table: Any) -> Floats:
        """The fitted columns of a table as logs, centred as in the fit."""
        logs = [np.log(np.asarray(table[c], dtype=float)) for c in self.columns]
        return np.asarray(np.stack(logs, axis=1) - self.centre, dtype=np.float64)

    def at(self, table: Any) -> tuple[Floats, Floats]:
        """ln of the form at the rows of a table with the fitted columns, and its derivatives."""
        return log_value(self.form, self.vector, self.centred(table))

    def log_predict(self, table: Any) -> Floats:
        """ln of the form at the rows of a table with the fitted columns."""
        return self.at(table)[0]


def fit(
    table: Any,
    form: str | Form,
    *,
    y: Column,
    x: Sequence[str] | str | None = None,
    weights: Column | None = None,
    loss: Loss = "squares",
    huber_delta: float | None = None,
    groups: str | Sequence[Any] | None = None,
    start: Floats | None = None,
) -> Fit:
    """Fit ln(y) by ln(form) on the columns `x` (default: the form's own) of a frame or mapping.

    `weights` are inverse variances of ln(y) up to a factor. Huber's delta is 1.345 robust standard
    deviations of the residuals unless given. `groups` names the configuration of each row, the
    unit of resampling and cross-validation (default: each row its own). `start`, a vector of an
    earlier fit of the same form, replaces the global search by a local one.

    Raises:
        InputError: unknown form or column, too few rows, or a variable that does not vary.
    """
    names = (x,) if isinstance(x, str) else None if x is None else tuple(x)
    law = form_of(form, names)
    columns = names or law.variables
    values = np.stack([column(table, c) for c in columns], axis=1)
    target = column(table, y)
    w = np.ones(len(target)) if weights is None else column(table, weights)
    keys = table[groups] if isinstance(groups, str) else groups
    used = usable(law, target, values, w)
    logs = np.log(values[used])
    centre = logs.mean(axis=0)
    check_identified(law, logs - centre)
    low, high = bounds_of(law, logs - centre, np.log(target[used]))
    if huber_delta is not None and not huber_delta > 0:
        raise InputError(f"huber_delta {huber_delta!r} must be positive")
    delta = math.inf if loss == "squares" else huber_delta or math.inf
    problem = Problem(law, logs - centre, np.log(target[used]), w[used], delta, low, high)
    found = minimise(problem, start)
    if loss == "huber" and huber_delta is None:
        problem = huber(problem, found.best)
        found = minimise(problem, found.best.vector if start is not None else None)
    chosen = range(len(target)) if keys is None else list(keys)
    return _result(problem, found, columns, centre, used, loss,
                   tuple(k for k, keep in zip(chosen, used, strict=True) if keep))  # fmt: skip


def _result(
    problem: Problem,
    found: Minimum,
    columns: tuple[str, ...],
    centre: Floats,
    used: Mask,
    loss: Loss,
    groups: tuple[Any, ...],
) -> Fit:
    form, vector = problem.form, found.best.vector
    stuck = problem.at_bound(vector)
    residuals, slopes = problem.residuals(vector)
    scaled = slopes[:, ~stuck] * np.sqrt(problem.weights)[:, None]
    return Fit(
        form=form,
        columns=columns,
        vector=vector,
        centre=centre,
        problem=problem,
        residuals=residuals,
        groups=groups,
        used=used,
        loss_kind=loss,
        loss=found.best.loss * (2 if loss == "squares" else 1),
        at_bound=tuple(n for n, s in zip(form.parameters, stuck, strict=True) if s),
        condition=float(np.linalg.cond(scaled)) ** 2,
        starts=found.starts,
        converged=found.converged,
        accepted=found.agreed,
    )
