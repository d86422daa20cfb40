"""The objective of a fit and the local methods that minimise it; all pure functions of a start."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from analysis.fits.forms import Floats, Form, log_value

Mask = npt.NDArray[np.bool_]
SMALLEST = 1e-12  # a coefficient this small against y is zero
AGREE = 1e-6
# SciPy's own tolerances stop early; the loss is scaled to 1 at the start.
OPTIONS = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 50_000, "maxcor": 20}


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """No threads in linear algebra: for matrices this small they cost three to forty times more."""
    limited: AbstractContextManager[Any] = _threads().limit(limits=1, user_api="blas")
    return limited


@dataclass(frozen=True)
class Problem:
    """Residuals ln(y) - ln(form), weighted; `delta` is Huber's, infinite for least squares.

    `x` is ln(variable / geometric mean) with a column per variable; `low` and `high` bound the
    parameter vector (exponents, then internal coefficients).
    """

    form: Form
    x: Floats
    log_y: Floats
    weights: Floats
    delta: float
    low: Floats
    high: Floats

    def residuals(self, vector: Floats) -> tuple[Floats, Floats]:
        """ln(y) - ln(form) and the derivatives of ln(form)."""
        value, slopes = log_value(self.form, vector, self.x)
        return self.log_y - value, slopes

    def loss(self, r: Floats) -> Floats:
        """Sum of w r^2 / 2, or of w h(r) with h = delta (|r| - delta / 2) beyond delta."""
        a = np.abs(r)
        if np.isinf(self.delta):
            return np.asarray(0.5 * np.sum(self.weights * a**2, axis=-1))
        h = np.where(a <= self.delta, 0.5 * a**2, self.delta * (a - 0.5 * self.delta))
        return np.asarray(np.sum(self.weights * h, axis=-1))

    def gradient(self, r: Floats, slopes: Floats) -> Floats:
        """Of `loss` by the parameters."""
        return -slopes.T @ (self.weights * np.clip(r, -self.delta, self.delta))

    def at_bound(self, vector: Floats) -> Mask:
        """Which parameters have a bound's value."""
        return (vector <= self.low + 1e-6) | (vector >= self.high - 1e-6)


@dataclass(frozen=True, eq=False)
class Point:
    """A parameter vector, its loss, and what `Problem.residuals` gives there."""

    vector: Floats
    loss: float
    residuals: Floats
    slopes: Floats


def point(problem: Problem, vector: Floats) -> Point:
    """The loss at a vector, which is moved into the bounds first."""
    inside = np.clip(vector, problem.low, problem.high)
    r, slopes = problem.residuals(inside)
    return Point(inside, float(problem.loss(r)), r, slopes)


def levenberg(problem: Problem, start: Floats, free: Mask) -> Point:
    """`levenberg_all` from one start."""
    return levenberg_all(problem, start[None], free)[0]


def levenberg_all(problem: Problem, starts: Floats, free: Mask, steps: int = 60) -> list[Point]:
    """Gauss-Newton steps on the free parameters, damped (Marquardt 1963), reweighted for Huber.

    From each of `starts` (starts, parameters) at once, for an array costs no more than its first
    element. Each ends after so many steps, or with one that gains less than 1e-13 of its loss, or
    when none gains, however damped: damping rises tenfold until one does. Bounds are kept by
    projection. No form of kind `log`.
    """
    at = np.clip(starts, problem.low, problem.high)
    r, slopes = problem.residuals(at)
    loss, damping = problem.loss(r), np.full(len(at), 1e-3)
    taken, going = np.zeros(len(at), dtype=int), np.arange(len(at))
    while len(going):
        step = _steps(problem, at[going], r[going], slopes[going], free, damping[going])
        trial = np.clip(at[going] + step, problem.low, problem.high)
        trial_r, trial_slopes = problem.residuals(trial)
        trial_loss = problem.loss(trial_r)
        gain = loss[going] - trial_loss
        better = gain > 0
        damping[going] = np.where(
            better, np.maximum(damping[going] / 10, 1e-12), np.maximum(damping[going] * 10, 1e-6)
        )
        moved = going[better]
        at[moved], r[moved], slopes[moved] = trial[better], trial_r[better], trial_slopes[better]
        loss[moved], taken[moved] = trial_loss[better], taken[moved] + 1
        done = np.where(better, gain <= 1e-13 * loss[going], damping[going] >= 1e12)
        going = going[~done & (taken[going] < steps)]
    return [Point(*found) for found in zip(at, loss.tolist(), r, slopes, strict=True)]


def _steps(
    problem: Problem, at: Floats, r: Floats, slopes: Floats, free: Mask, damping: Floats
) -> Floats:
    """The damped step from each vector, 0 in parameters that are held or would leave the bounds."""
    w = problem.weights * np.minimum(1.0, problem.delta / np.maximum(np.abs(r), 1e-300))
    g = np.matmul((w * r)[:, None], slopes)[:, 0]
    held = ~free | ((at <= problem.low) & (g < 0)) | ((at >= problem.high) & (g > 0))
    moving = np.where(held[:, None], 0.0, slopes)
    h = np.matmul(moving.swapaxes(1, 2) * w[:, None], moving)
    diagonal = np.einsum("sjj->sj", h)
    least = 1e-12 * np.maximum(1e-300, diagonal.sum(axis=1, keepdims=True))
    raised = damping[:, None] * np.maximum(diagonal, least)
    diagonal += np.where(held, 1.0, raised)
    return _solved(h, np.where(held, 0.0, g))


def _solved(h: Floats, g: Floats) -> Floats:
    """x with h x = g for each pair; 0 where a matrix is singular."""
    try:
        return np.asarray(np.linalg.solve(h, g[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        if len(h) == 1:
            return np.zeros_like(g)
        return np.concatenate([_solved(h[n : n + 1], g[n : n + 1]) for n in range(len(h))])


def polish(problem: Problem, start: Point) -> Point:
    """Run L-BFGS-B, restarted until it gains less than 1e-10 of the loss."""
    best = start
    for _ in range(12):
        trial = _minimise(problem, best)
        gain, best = best.loss - trial.loss, trial
        if gain <= 1e-10 * best.loss:
            break
    return best


def _minimise(problem: Problem, at: Point) -> Point:
    """One run of L-BFGS-B, the loss divided by its first value; `at` where it gains nothing."""
    # A plan imports this module and fits nothing.
    from scipy.optimize import minimize

    unit = max(at.loss, 1e-300)

    def scaled(vector: Floats) -> tuple[float, Floats]:
        r, slopes = problem.residuals(vector)
        return float(problem.loss(r)) / unit, problem.gradient(r, slopes) / unit

    box = list(zip(problem.low, problem.high, strict=True))
    run: Any = minimize  # its stubs do not know a function that returns value and gradient
    found = run(scaled, at.vector, jac=True, method="L-BFGS-B", bounds=box, options=OPTIONS)
    trial = point(problem, found.x)
    return trial if trial.loss < at.loss else at
