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

    def loss(self, r: Floats) -> float:
        """Sum of w r^2 / 2, or of w h(r) with h = delta (|r| - delta / 2) beyond delta."""
        a = np.abs(r)
        if np.isinf(self.delta):
            return 0.5 * float(np.sum(self.weights * a**2))
        h = np.where(a <= self.delta, 0.5 * a**2, self.delta * (a - 0.5 * self.delta))
        return float(np.sum(self.weights * h))

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
    return Point(inside, problem.loss(r), r, slopes)


def levenberg(problem: Problem, start: Floats, free: Mask, steps: int = 60) -> Point:
    """Gauss-Newton steps on the free parameters, damped (Marquardt 1963), reweighted for Huber.

    Bounds are kept by projection; stops when steps gain less than 1e-13 of the loss.
    """
    best = point(problem, start)
    damping = 1e-3
    for _ in range(steps):
        r, slopes = best.residuals, best.slopes
        w = problem.weights * np.minimum(1.0, problem.delta / np.maximum(np.abs(r), 1e-300))
        g = slopes.T @ (w * r)
        stuck = ((best.vector <= problem.low) & (g < 0)) | ((best.vector >= problem.high) & (g > 0))
        moving = free & ~stuck
        h = (slopes[:, moving].T * w) @ slopes[:, moving]
        trial, damping = _damped(problem, best, h, g[moving], moving, damping)
        gain, best = best.loss - trial.loss, trial
        if gain <= 1e-13 * best.loss:
            break
    return best


def _damped(
    problem: Problem, at: Point, h: Floats, g: Floats, moving: Mask, damping: float
) -> tuple[Point, float]:
    """The first step that gains, raising the damping tenfold until one does; or no step."""
    scale = np.diag(np.maximum(np.diag(h), 1e-12 * max(1e-300, float(np.trace(h)))))
    while damping < 1e12:
        step = np.zeros_like(at.vector)
        try:
            step[moving] = np.linalg.solve(h + damping * scale, g)
        except np.linalg.LinAlgError:
            step[moving] = np.nan
        if np.isfinite(step).all():
            trial = point(problem, at.vector + step)
            if trial.loss < at.loss:
                return trial, max(damping / 10, 1e-12)
        damping = max(damping * 10, 1e-6)
    return at, damping


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
        return problem.loss(r) / unit, problem.gradient(r, slopes) / unit

    box = list(zip(problem.low, problem.high, strict=True))
    run: Any = minimize  # its stubs do not know a function that returns value and gradient
    found = run(scaled, at.vector, jac=True, method="L-BFGS-B", bounds=box, options=OPTIONS)
    trial = point(problem, found.x)
    return trial if trial.loss < at.loss else at
