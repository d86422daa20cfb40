"""Global minimum by variable projection: exponents on a grid, coefficients by a linear problem.

Golub & Pereyra 1973; for scaling laws Czech et al. 2026 (arXiv 2603.22339).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from analysis.fits.descent import (
    AGREE,
    SMALLEST,
    Point,
    Problem,
    levenberg,
    levenberg_all,
    one_thread,
    point,
    polish,
)
from analysis.fits.forms import Floats, Form

STEP = 0.05
MOST_POINTS = 2000
REFINED = 40
POLISHED = 6
# Times the least loss of all starts.
HOPELESS = 1.05
FLOORS = (0.0, 0.3, 0.6, 0.9)


@dataclass(frozen=True)
class Minimum:
    """The least loss found; `converged` of `starts` reached it within 1e-6 of the loss.

    `agreed` says whether two optimisers end within 1e-6 of each other's loss.
    """

    best: Point
    starts: int
    converged: int
    agreed: bool


def bounds_of(form: Form, x: Floats, log_y: Floats) -> tuple[Floats, Floats]:
    """Least and greatest values of the parameter vector for these data."""
    breaks = (float(np.quantile(x[:, 0], 0.15)), float(np.quantile(x[:, 0], 0.85)))
    low, high = np.array([b or breaks for b in form.bounds]).reshape(-1, 2).T
    size = len(form.coefficients)
    if form.kind == "log":
        return np.append(low, [-np.inf] * size), np.append(high, [np.inf] * size)
    least, most = math.log(SMALLEST) + float(log_y.min()), float(log_y.max()) + 30.0
    tops = np.full(size, most)
    if form.kind == "odds":
        tops[0] = math.log(form.ceiling) - 1e-6
    return np.append(low, [least] * size), np.append(high, tops)


def exponents_grid(low: Floats, high: Floats) -> Floats:
    """Exponents every 0.05 inside the bounds; Sobol points where that would be too many."""
    counts = np.maximum(1, np.round((high - low) / STEP)).astype(int)
    if math.prod(counts.tolist()) > MOST_POINTS:
        from scipy.stats import qmc  # slow to load

        unit = qmc.Sobol(len(low), scramble=False).random_base2(int(math.log2(MOST_POINTS)))
        return np.asarray(low + (high - low) * (unit + 0.5 / len(unit)), dtype=np.float64)
    axes = [
        lo + (np.arange(n) + 0.5) * (hi - lo) / n
        for lo, hi, n in zip(low, high, counts, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return np.asarray(points.reshape(-1, len(low)), dtype=np.float64)


def _non_negative(problem: Problem, phi: Floats, y: Floats) -> Floats:
    """ln of the coefficients that minimise the weighted relative error of y."""
    root = np.sqrt(problem.weights)
    top = phi.max(axis=0)
    basis = np.exp(phi - top) * (root / y)[:, None]
    solution, _ = nnls(basis, root)
    positive = np.maximum(solution, SMALLEST * float(y.min()))
    return np.asarray(np.log(positive) - top, dtype=np.float64)


def coefficients_at(problem: Problem, theta: Floats) -> Point:
    """Exponents with the coefficients that fit them, by non-negative or plain least squares."""
    phi, _ = problem.form.terms(theta, problem.x)
    y = np.exp(problem.log_y)
    if problem.form.kind == "sum":
        return point(problem, np.append(theta, _non_negative(problem, phi, y)))
    if problem.form.kind == "log":
        return linear_at(problem, theta)
    trials = []
    for share in FLOORS:
        floor = max(share * float(y.min()), SMALLEST)
        odds = (y - floor) / np.maximum(problem.form.ceiling - y, 1e-6)
        c = _non_negative(problem, phi[:, 1:], np.maximum(odds, 1e-9))
        trials.append(point(problem, np.concatenate([theta, [math.log(floor)], c])))
    return min(trials, key=lambda p: p.loss)


def linear_at(problem: Problem, theta: Floats) -> Point:
    """The best coefficients of a `log` form; reweighted least squares for Huber's loss."""
    phi, _ = problem.form.terms(theta, problem.x)
    w = problem.weights
    best: Point | None = None
    for _ in range(1 if math.isinf(problem.delta) else 200):
        root = np.sqrt(w)
        c = np.linalg.lstsq(phi * root[:, None], problem.log_y * root, rcond=None)[0]
        found = point(problem, np.append(theta, c))
        if best is not None and best.loss - found.loss <= 1e-13 * best.loss:
            break
        best = found
        r = np.maximum(np.abs(problem.log_y - phi @ c), 1e-300)
        w = problem.weights * np.minimum(1.0, problem.delta / r)
    assert best is not None
    return best


def _starts(problem: Problem) -> list[Point]:
    """The best grid points, after their coefficients were refined in log space."""
    size = len(problem.form.exponents)
    grid = exponents_grid(problem.low[:size], problem.high[:size])
    found = sorted((coefficients_at(problem, t) for t in grid), key=lambda p: p.loss)
    inner = np.arange(problem.form.k) >= size
    everything = np.ones(problem.form.k, dtype=bool)
    refined = levenberg_all(problem, np.stack([p.vector for p in found[:REFINED]]), inner, 8)
    best = sorted(refined, key=lambda p: p.loss)[:POLISHED]
    return levenberg_all(problem, np.stack([p.vector for p in best]), everything)


def polish_until_agreed(problem: Problem, start: Point) -> tuple[Point, bool]:
    """From where `levenberg` ended, until L-BFGS-B gains less than 1e-6 on it; whether it did."""
    for _ in range(4):
        found = polish(problem, start)
        if start.loss - found.loss <= AGREE * found.loss:
            return found, True
        start = levenberg(problem, found.vector, np.ones(problem.form.k, dtype=bool))
    return start, False


def _polished(problem: Problem, starts: Sequence[Point]) -> list[tuple[Point, bool]]:
    """Each start polished, but those once that have the same loss: they are at one minimum.

    One whose loss is far above the least is at a worse minimum, and stays as it is.
    """
    found: list[tuple[Point, bool]] = []
    least = min(start.loss for start in starts)
    for number, start in enumerate(starts):
        same = (n for n in range(number) if abs(starts[n].loss - start.loss) <= AGREE * start.loss)
        twin = next(same, None)
        if start.loss > HOPELESS * least:
            found.append((start, False))
        else:
            found.append(polish_until_agreed(problem, start) if twin is None else found[twin])
    return found


def _broken_line(problem: Problem, start: Floats | None) -> Minimum:
    """The best breakpoint, within 0.5 of `start`: every 0.05, then ever finer about the best."""
    low, high = problem.low[:1], problem.high[:1]
    if start is not None:
        low, high = np.maximum(low, start[0] - 0.5), np.minimum(high, start[0] + 0.5)
    grid = exponents_grid(low, high)[:, 0]
    losses = []
    for width in (STEP, STEP / 15, STEP / 225):
        points = sorted((linear_at(problem, np.array([t])) for t in grid), key=lambda p: p.loss)
        losses.append(points[0].loss)
        near = [p.vector[0] + width * np.linspace(-1, 1, 31) for p in points[:3]]
        grid = np.unique(np.clip(np.concatenate(near), low[0], high[0]))
    found = min((linear_at(problem, np.array([t])) for t in grid), key=lambda p: p.loss)
    return Minimum(found, 3, 1, losses[-1] - found.loss <= AGREE * found.loss)


class _Asked:
    """A problem and where to start, which are equal where their numbers are."""

    def __init__(self, problem: Problem, start: Floats | None) -> None:
        self.problem, self.start = problem, start
        arrays = problem.x, problem.log_y, problem.weights, problem.low, problem.high
        at = None if start is None else start.tobytes()
        self._key = problem.form, problem.delta, at, *(array.tobytes() for array in arrays)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key == other._key


def minimise(problem: Problem, start: Floats | None = None) -> Minimum:
    """The least loss over exponents and coefficients; only near `start` if there is one.

    Other analyses of a study, and its figures, ask for many of the same fits again.
    """
    return _minimum(_Asked(problem, start))


@lru_cache(maxsize=256)
def _minimum(asked: _Asked) -> Minimum:
    problem, start, form = asked.problem, asked.start, asked.problem.form
    with one_thread():
        if form.kind == "log" and form.exponents:
            return _broken_line(problem, start)
        if form.kind == "log":
            return Minimum(linear_at(problem, np.empty(0)), 1, 1, True)
        if start is not None:
            return Minimum(levenberg(problem, start, np.ones(form.k, dtype=bool)), 1, 1, True)
        polished = _polished(problem, _starts(problem))
    best, agreed = min(polished, key=lambda s: s[0].loss)
    reached = sum(p.loss <= best.loss * (1 + AGREE) for p, _ in polished)
    return Minimum(best, len(polished), reached, agreed)


def huber(problem: Problem, start: Point) -> Problem:
    """The same problem with delta = 1.345 x 1.4826 x the median |residual| at `start`.

    Huber's constant gives 95 % efficiency with normal residuals.
    """
    r, _ = problem.residuals(start.vector)
    delta = 1.345 * 1.4826 * float(np.median(np.abs(r - np.median(r))))
    return replace(problem, delta=max(delta, 1e-12))
