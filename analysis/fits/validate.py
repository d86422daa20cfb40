"""What a fit predicts of data it has not seen; printed with every fit."""

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.fits.descent import Mask
from analysis.fits.fit import Fit, fit
from analysis.fits.forms import Floats, log_value
from analysis.fits.inputs import Column, column
from analysis.fits.laws import form_of
from analysis.fits.varpro import minimise
from scaling_study.common.errors import InputError

ILL_CONDITIONED = 1e8
CHEAPEST = (0.75, 0.5)


@dataclass(frozen=True)
class Misses:
    """ln(prediction) - ln(y) on rows that were left out: root mean square and mean."""

    label: str
    rmse: float
    bias: float
    n: int


@dataclass(frozen=True)
class Validation:
    """Relative errors of prediction, as fractions.

    `folds` is cross-validation by configuration, `baseline` the same of y = E + A cost^-a, which
    has none itself;
    `extrapolated` trains on the cheapest rows, `left_out` on all levels of a column but one.
    """

    fit: Fit
    folds: Misses
    extrapolated: tuple[Misses, ...]
    left_out: tuple[Misses, ...]
    baseline: Misses | None

    @property
    def improvement(self) -> float | None:
        """Part of the baseline's error that the form removes."""
        return None if self.baseline is None else 1 - self.folds.rmse / self.baseline.rmse


def _carries(fit: Fit, x: Floats) -> bool:
    """Whether points can identify the form: every variable varies, linear terms are separate."""
    if len(x) < fit.form.k or (np.ptp(x, axis=0) < 1e-9).any():
        return False
    phi, _ = fit.form.terms(fit.vector[: len(fit.form.exponents)], x)
    return fit.form.kind != "log" or int(np.linalg.matrix_rank(phi)) == phi.shape[1]


def _missed(fit: Fit, held_out: Mask, local: bool) -> Floats:
    """ln(prediction) - ln(y) of the rows held out, by a fit to the others; NaN if it is undefined.

    The refit starts at the fit's optimum if `local`, else it searches everywhere.
    """
    p, rest = fit.problem, ~held_out
    train = replace(p, x=p.x[rest], log_y=p.log_y[rest], weights=p.weights[rest])
    if not _carries(fit, train.x):
        return np.full(int(held_out.sum()), math.nan)
    vector = minimise(train, fit.vector if local else None).best.vector
    return log_value(p.form, vector, p.x[held_out])[0] - p.log_y[held_out]


def _misses(label: str, missed: Floats) -> Misses:
    return Misses(label, float(np.sqrt(np.mean(missed**2))), float(missed.mean()), len(missed))


def folds(fit: Fit, count: int = 10, seed: int = 0) -> Misses:
    """Cross-validation: configurations (`groups`) are dealt to `count` folds at random."""
    names, group_of = np.unique(np.array([str(g) for g in fit.groups]), return_inverse=True)
    count = min(count, len(names))
    fold = np.arange(len(names)) % count
    np.random.default_rng(seed).shuffle(fold)
    missed = [_missed(fit, fold[group_of] == k, local=True) for k in range(count)]
    return _misses(f"{count}-fold", np.concatenate(missed))


def extrapolated(fit: Fit, cost: Floats) -> tuple[Misses, ...]:
    """Misses on the dearest rows of fits to the cheapest 75 and 50 %; of few rows 75 % is all."""
    rank = np.argsort(np.argsort(cost, kind="stable"), kind="stable")
    dearest = {share: rank >= share * fit.n for share in CHEAPEST}
    return tuple(
        _misses(f"cheapest {100 * share:g} %", _missed(fit, rows, local=False))
        for share, rows in dearest.items()
        if rows.any()
    )


def left_out(fit: Fit, levels: Floats, name: str) -> tuple[Misses, ...]:
    """Misses on each level of a column by a fit to the other levels."""
    values = np.unique(levels)
    if len(values) < 2:
        return ()
    return tuple(
        _misses(f"{name} {v:g}", _missed(fit, levels == v, local=True)) for v in values.tolist()
    )


def validate(
    found: Fit,
    table: object,
    *,
    cost: Column | None = None,
    by: str | None = None,
    k: int = 10,
    seed: int = 0,
) -> Validation:
    """Judge a fit on the table it was fitted to; `cost` and `by` are columns of it.

    Without `cost` nothing is extrapolated or compared with a law of cost; `by` (as a rule the
    resolution) is the column whose levels are left out one by one. Raises InputError if there is
    no such column, or for fewer than three configurations.
    """
    if len(set(found.groups)) < 3:
        raise InputError(f"{len(set(found.groups))} configurations; validation needs three")
    costs = None if cost is None else column(table, cost)[found.used]
    levels = None if by is None else column(table, by)[found.used]
    return Validation(
        fit=found,
        folds=folds(found, k, seed),
        extrapolated=() if costs is None else extrapolated(found, costs),
        left_out=() if levels is None or by is None else left_out(found, levels, by),
        baseline=None if costs is None else _baseline(found, costs, k, seed),
    )


def _baseline(found: Fit, costs: Floats, k: int, seed: int) -> Misses | None:
    columns = {"cost": costs, "y": np.exp(found.problem.log_y)}
    if len(costs) <= 3 or np.ptp(np.log(costs)) == 0:
        return None
    law, logs = form_of("spl", ("cost",)), np.log(costs)
    if found.form.id == law.id and np.allclose(found.problem.x[:, 0], logs - logs.mean()):
        return None  # it is the baseline
    return folds(fit(columns, law, y="y", x="cost", groups=found.groups), k, seed)


def describe(validation: Validation) -> list[str]:
    """The fit and its misses in words, a line each."""
    f = validation.fit
    values = ", ".join(f"{name} {value:.4g}" for name, value in f.parameters.items())
    bounds = f"at a bound: {', '.join(f.at_bound)}" if f.at_bound else "no parameter at a bound"
    agreed = "" if f.accepted else "; NOT ACCEPTED: two optimisers disagree"
    lines = [
        f"fit {f.form.id}: {f.form.formula}",
        f"parameters: {values}; {bounds}",
        f"{f.n} rows, {f.excluded} excluded; {f.loss_kind}, loss {f.loss:.6g}, {f.converged} of "
        f"{f.starts} starts at the optimum, condition of J'J {f.condition:.1e}{agreed}",
        *(_line(m) for m in (validation.folds, *validation.extrapolated, *validation.left_out)),
    ]
    if f.condition > ILL_CONDITIONED:
        lines.append("ill-conditioned: trust profile intervals only, not the parameters one by one")
    if validation.baseline is not None and validation.improvement is not None:
        base = 100 * validation.baseline.rmse
        lines.append(f"E + A cost^-a alone: {base:.1f} %; improvement {validation.improvement:.0%}")
    return lines


def _line(misses: Misses) -> str:
    if math.isnan(misses.rmse):
        return f"{misses.label}: the rest cannot carry the form"
    rmse, bias = 100 * misses.rmse, 100 * misses.bias
    return f"{misses.label}: relative error {rmse:.1f} %, bias {bias:+.1f} % (n {misses.n})"
