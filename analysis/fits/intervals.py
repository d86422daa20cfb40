"""How uncertain a fit is: exact t and profile intervals, and lack of fit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import fdtrc, fdtri, stdtrit

from analysis.fits.descent import Point, Problem, levenberg
from analysis.fits.fit import Fit
from analysis.fits.forms import Floats, log_value
from analysis.fits.varpro import linear_at

# Residuals of points on a form, relative to ln(y): float64's own rounding, times what the linear
# problem of a broken line makes of it beside a point.
ROUNDING = 1e-12


def covariance(fit: Fit) -> Floats:
    """Of the parameter vector: residual variance times (J'WJ)^-1, which is exact for `quad`."""
    _, slopes = log_value(fit.form, fit.vector, fit.problem.x)
    information = (slopes.T * fit.problem.weights) @ slopes
    return np.asarray(fit.variance * np.linalg.pinv(information), dtype=np.float64)


def band(fit: Fit, table: Mapping[str, Floats], confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Ends of the interval about the form itself at each row of a table, in units of y.

    Student's t with the form taken as linear in its parameters (Bates & Watts 1988, section 2.3):
    exact for `log` forms without exponents. Parameters at a bound are held there.
    """
    value, at = fit.at(table)
    _, slopes = log_value(fit.form, fit.vector, fit.problem.x)
    free = ~np.isin(fit.form.parameters, fit.at_bound)
    known, at = slopes[:, free], at[:, free]
    inverse = np.linalg.pinv((known.T * fit.problem.weights) @ known)
    se = np.sqrt(fit.variance * np.einsum("nj,jk,nk->n", at, inverse, at))
    half = float(stdtrit(fit.df, 0.5 + confidence / 2)) * se
    return np.exp(value - half), np.exp(value + half)


def draws(fit: Fit, count: int = 4000, seed: int = 20210307) -> Floats:
    """Coefficient vectors (count, k) of a `quad` form from their posterior under a flat prior.

    Multivariate t with n - k degrees of freedom about the estimate. Raises ValueError if the form
    has exponents, or the loss is not least squares.
    """
    if fit.form.kind != "log" or fit.form.exponents or fit.loss_kind != "squares":
        raise ValueError(f"no exact posterior for form {fit.form.id} and loss {fit.loss_kind}")
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(covariance(fit))
    normal = generator.standard_normal((count, fit.form.k))
    scale = np.sqrt(generator.chisquare(fit.df, count) / fit.df)
    return np.asarray(fit.vector + (normal @ root.T) / scale[:, None], dtype=np.float64)


def _in_column_units(fit: Fit) -> tuple[Problem, Floats]:
    """The problem and its optimum with variables that are not divided by their means."""
    p, split = fit.problem, len(fit.form.exponents)
    theta, c = fit.form.in_units(fit.vector[:split], fit.vector[split:], fit.centre)
    moved = c - fit.vector[split:]
    low, high = p.low.copy(), p.high.copy()
    low[split:] += np.minimum(moved, 0) - 50
    high[split:] += np.maximum(moved, 0) + 50
    return replace(p, x=p.x + fit.centre, low=low, high=high), np.append(theta, c)


def profile_interval(fit: Fit, name: str, confidence: float = 0.95) -> tuple[float, float]:
    """Values of a parameter whose best fit is not worse than an F test allows.

    {v: RSS(v) <= RSS_min (1 + F_{1, n-k} / (n-k))} (Bates & Watts 1988, section 6.1), in units of
    the columns. An end is the parameter's bound where nothing inside it is excluded. Points that
    lie on the form give an interval as narrow as they are exact, and bounds to a parameter without
    which they lie on it as well. For the coefficients of a `log` form this is Student's t: exact,
    or given the fitted breakpoint.
    Raises ValueError unless the loss is least squares.
    """
    if fit.loss_kind != "squares":
        raise ValueError("profile intervals need least squares")
    i, split = fit.form.parameters.index(name), len(fit.form.exponents)
    if fit.form.kind == "log" and i >= split:
        half = stdtrit(fit.df, 0.5 + confidence / 2) * math.sqrt(covariance(fit)[i, i])
        return float(fit.parameters[name] - half), float(fit.parameters[name] + half)
    problem, best = (fit.problem, fit.vector) if i < split else _in_column_units(fit)
    loss, at = _profile(problem, best, i), float(best[i])
    least = max(fit.loss / 2, loss(at))
    limit = float(least * (1 + fdtri(1, fit.df, confidence) / fit.df)) + _rounding(problem)
    low = _end(loss, at, float(problem.low[i]), limit)
    high = _end(loss, at, float(problem.high[i]), limit)
    if i >= split:
        return math.exp(low) if low > problem.low[i] else 0.0, math.exp(high)
    offset = fit.parameters[name] - at
    return low + offset, high + offset


def _rounding(problem: Problem) -> float:
    """The loss of residuals that are nothing but rounding: it tells no two values apart."""
    return float(problem.loss(ROUNDING * (1 + np.abs(problem.log_y))))


def _profile(problem: Problem, best: Floats, i: int) -> Callable[[float], float]:
    """Least loss as a function of parameter i; each call starts where the nearest one ended.

    The same value has the same loss whenever it is asked for: a root lies between two of them.
    """
    known: dict[float, Point] = {}
    free = np.arange(len(best)) != i

    def found(value: float) -> Point:
        if problem.form.kind == "log":
            return linear_at(problem, np.array([value]))
        nearest = min(known, key=lambda v: abs(v - value), default=None)
        start = (best if nearest is None else known[nearest].vector).copy()
        start[i] = value
        return levenberg(problem, start, free)

    def loss(value: float) -> float:
        if value not in known:
            known[value] = found(value)
        return known[value].loss

    return loss


def _end(loss: Callable[[float], float], at: float, bound: float, limit: float) -> float:
    """Where the loss first exceeds the limit on the way from the optimum to a bound."""
    step = math.copysign(min(0.02, abs(bound - at)), bound - at)
    inside = at
    while abs(inside - bound) > 1e-9:
        outside = inside + step if abs(step) < abs(bound - inside) else bound
        if loss(outside) > limit:
            return float(brentq(lambda v: loss(v) - limit, inside, outside, xtol=1e-6))
        inside, step = outside, 1.4 * step
    return bound


@dataclass(frozen=True)
class LackOfFit:
    """F test of the form against the scatter between seeds, with its degrees of freedom."""

    f: float
    df: tuple[int, float]
    p: float


def lack_of_fit(fit: Fit, error: Floats, se: Floats, df: float) -> LackOfFit:
    """Whether cells scatter about the form more than their seeds explain.

    A row per fitted row: mean error, and its standard error from seeds with `df` degrees of
    freedom; the SE of ln(error) is se / error.
    """
    ss = float(np.sum((fit.residuals * error / se) ** 2))
    f = ss / fit.df
    return LackOfFit(f, (fit.df, df), float(fdtrc(fit.df, min(df, 1e9), f)))
