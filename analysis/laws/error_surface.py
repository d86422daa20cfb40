"""The error surface of a study: log-quadratic in depth, width, resolution and training length.

A design that cannot carry every term gets fewer, and the surface says which are missing.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linprog
from scipy.special import stdtrit

from analysis.fits.descent import Mask
from analysis.fits.fit import Fit, fit
from analysis.fits.forms import Floats, Form, monomials
from analysis.fits.laws import FORMS, SIZE
from analysis.fits.weights import weighted_fit
from analysis.laws.points import Points
from scaling_study.common.errors import InputError

SPARE = 3
Term = tuple[str, ...]


@dataclass(frozen=True)
class Surface:
    """A fitted surface; `dropped` terms are those that the design cannot carry.

    `tau2` is the variance of ln(error) of a configuration about the surface that its seeds do not
    explain; `seeds` the variance of ln(error) from its seeds per row, NaN if nothing says.
    """

    fit: Fit
    points: Points
    dropped: tuple[str, ...]
    tau2: float
    seeds: Floats

    def terms(self, x: Floats) -> Floats:
        """The columns of the design at centred points."""
        return self.fit.form.terms(np.empty(0), x)[0]

    @cached_property
    def covariance(self) -> Floats:
        """Of the coefficients: inverse of J'WJ with the inverse variances as weights."""
        phi = self.terms(self.fit.problem.x)
        scale = 1.0 if np.isfinite(self.seeds).all() else 1 / self.fit.variance
        information = (phi.T * self.fit.problem.weights * scale) @ phi
        return np.asarray(np.linalg.inv(information), dtype=np.float64)

    def leverage(self, x: Floats) -> Floats:
        """Variance of the fitted ln(error) at centred points, from the fit alone."""
        phi = self.terms(x)
        return np.asarray(np.einsum("nj,jk,nk->n", phi, self.covariance, phi), dtype=np.float64)


def carried(points: Points, form: Form, spare: int = SPARE) -> tuple[list[Term], list[Term]]:
    """The terms a design can carry with `spare` degrees of freedom left, and the others.

    Terms are added from the simplest on, as long as the design matrix gains rank.
    """
    # Constant, linear terms, then squares, then products by their order.
    terms: list[Term] = [() if n == "1" else tuple(n.split("*")) for n in form.coefficients]
    terms.sort(key=lambda t: (len(t), len(set(t))))
    logs = {v: np.log(points[v]) for v in form.variables}
    centred = {v: values - values.mean() for v, values in logs.items()}
    unit = {v: x / max(float(x.std()), 1e-12) for v, x in centred.items()}
    kept: list[Term] = []
    columns: list[Floats] = []
    n = len(points["error"])
    for term in terms:
        column = np.prod([np.ones(n), *(unit[v] for v in term)], axis=0)
        trial = np.stack([*columns, column], axis=1)
        if len(kept) + 1 + spare <= n and np.linalg.matrix_rank(trial, tol=1e-6) == len(kept) + 1:
            kept.append(term)
            columns.append(column)
    return kept, [t for t in terms if t not in kept]


def surface_of(points: Points) -> Surface:
    """Fit quad3, or quad4 where there are several training lengths, with seeds' noise if known.

    Raises:
        InputError: too few configurations, or none of the axes varies.
    """
    if not len(points["error"]):
        raise InputError("no configuration has this cost")
    form = FORMS["quad4" if len(np.unique(points["epochs"])) > 1 else "quad3"]
    kept, missing = carried(points, form)
    variables = tuple(v for v in form.variables if any(v in term for term in kept))
    if not set(variables) & set(SIZE):
        raise InputError(
            f"{len(points['error'])} configurations in which depth, width and resolution do not "
            "vary enough to fit a surface"
        )
    if missing:
        form = monomials(f"{form.id} reduced", "ln y = quadratic in ln x", variables, tuple(kept))
    names = tuple("*".join(term) for term in missing)
    seeds = (points["se"] / points["error"]) ** 2
    if not np.isfinite(seeds).all():
        return Surface(fit(points, form, y="error"), points, names, math.nan, seeds)
    found = weighted_fit(points, form, y="error", se="se")
    return Surface(found.fit, points, names, found.tau2, seeds)


@dataclass(frozen=True)
class Prediction:
    """Error of configurations (fraction) with 95 % intervals.

    `low` and `high` are for one new training of each, `mean_low` and `mean_high` for its mean over
    seeds.
    `inside` says that a configuration lies in the range of every axis and that its leverage does
    not exceed the largest one in the study; `distance` is the factor to the nearest studied
    configuration, the largest over the axes.
    """

    error: Floats
    low: Floats
    high: Floats
    mean_low: Floats
    mean_high: Floats
    inside: Mask
    distance: Floats


def _run_variance(surface: Surface, table: Points) -> Floats:
    """Variance of ln(error) between seeds at rows of a table: the mean of cells trained as long.

    0 where the surface's own scatter holds it already, because nothing says how seeds scatter.
    """
    if math.isnan(surface.tau2):
        return np.zeros(len(table["epochs"]))
    of_runs, epochs = surface.seeds * surface.points["n"], surface.points["epochs"]
    known = {e: float(of_runs[epochs == e].mean()) for e in np.unique(epochs).tolist()}
    return np.array([known.get(e, float(of_runs.mean())) for e in table["epochs"].tolist()])


def predict(surface: Surface, table: Points, confidence: float = 0.95) -> Prediction:
    """Predict rows of a table; intervals hold what configurations scatter about the surface.

    Staying below the largest leverage keeps off regions that the design surrounds but never
    visited (Montgomery, Peck & Vining 2012, section 3.8).
    """
    f = surface.fit
    x = f.centred(table)
    own, known = surface.leverage(x), surface.leverage(f.problem.x)
    scatter = f.variance if math.isnan(surface.tau2) else surface.tau2
    t = float(stdtrit(f.df, 0.5 + confidence / 2))
    half = t * np.sqrt(own + scatter)
    run_half = t * np.sqrt(own + scatter + _run_variance(surface, table))
    value = f.log_predict(table)
    low, high = f.problem.x.min(axis=0) - 1e-9, f.problem.x.max(axis=0) + 1e-9
    inside = ((x >= low) & (x <= high)).all(axis=1) & (own <= known.max() * (1 + 1e-9))
    gaps = np.abs(x[:, None] - f.problem.x[None]).max(axis=2).min(axis=1)
    return Prediction(
        error=np.exp(value),
        low=np.exp(value - run_half),
        high=np.exp(value + run_half),
        mean_low=np.exp(value - half),
        mean_high=np.exp(value + half),
        inside=inside,
        distance=np.exp(gaps),
    )


def gain_of_repeats(surface: Surface, target: Points) -> Floats:
    """Part by which one more seed in each studied configuration narrows the surface at a target.

    A share of the standard error of the fitted ln(error) at the first row of `target`; the scatter
    of configurations stays as it is.
    """
    f, inverse = surface.fit, surface.covariance
    phi, at = surface.terms(f.problem.x), surface.terms(f.centred(target)[:1])
    if math.isnan(surface.tau2):
        more = f.problem.weights / f.variance
    else:
        n = surface.points["n"][f.used]
        v = surface.seeds[f.used]
        more = 1 / (surface.tau2 + v * n / (n + 1)) - 1 / (surface.tau2 + v)
    cross = (phi @ inverse @ at[0]) ** 2
    drop = more * cross / (1 + more * surface.leverage(f.problem.x))
    return np.asarray(1 - np.sqrt(1 - drop / float(at[0] @ inverse @ at[0])), dtype=np.float64)


def reach(design: Floats, start: Floats, axis: int) -> float:
    """The farthest that a point moves along an axis and stays in the convex hull of the design.

    `design` has a row per configuration; 0 if `start` itself lies outside. A linear programme:
    the largest t >= 0 for which start + t e_axis is a mean of rows.
    """
    n, columns = design.shape
    move = np.zeros((columns + 1, 1))
    move[axis] = -1
    inside = np.vstack([design.T, np.ones(n)])
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_eq=np.hstack([inside, move]),
        b_eq=np.append(start, 1.0),
        method="highs",
    )
    return 0.0 if found.x is None else float(found.x[-1])
