"""The laws that can be fitted: error as a function of cost, or of a network's size, as values.

A form maps variables x to a positive y. Its parameters are exponents (non-linear) and coefficients
(linear). Three kinds tell how coefficients c_j and the form's terms make y:

- `sum`: y = sum_j c_j exp(phi_j(exponents, ln x)) with c_j >= 0, fitted as ln c_j;
- `odds`: y = E + (ceiling - E) h / (1 + h) with E = c_0 and h the sum of the other terms, c_j >= 0;
- `log`: ln y = sum_j c_j phi_j(exponents, ln x) with c_j of any sign.

Variables are divided by their geometric mean before a fit; `in_units` turns the parameters found
there into those of the variables' own units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Floats = npt.NDArray[np.float64]
# (exponents, ln x) to phi (points, terms) and its derivatives (points, terms, exponents). Of kinds
# `sum` and `odds`, exponents may have leading dimensions, which phi keeps.
Terms = Callable[[Floats, Floats], tuple[Floats, Floats]]
# (exponents, internal coefficients, ln of the geometric means) to both in the variables' units.
Units = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Form:
    """A law; see the module for `kind`. `bounds` are those of the exponents, in their order.

    A bound of None is taken from the data: the 15 % and 85 % quantiles of the first variable's
    logarithm, which is what a breakpoint may be.
    """

    id: str
    formula: str
    variables: tuple[str, ...]
    exponents: tuple[str, ...]
    coefficients: tuple[str, ...]
    bounds: tuple[tuple[float, float] | None, ...]
    kind: Literal["sum", "odds", "log"]
    terms: Terms
    in_units: Units
    ceiling: float = 1.0

    @property
    def parameters(self) -> tuple[str, ...]:
        """Exponents, then coefficients: the order of every parameter vector."""
        return (*self.exponents, *self.coefficients)

    @property
    def k(self) -> int:
        return len(self.parameters)


def _sum(logs: Floats) -> tuple[Floats, Floats]:
    """ln of the sum over columns, and each column's share of it."""
    top = logs.max(axis=-1, keepdims=True)
    parts = np.exp(logs - top)
    total = parts.sum(axis=-1, keepdims=True)
    return (top + np.log(total))[..., 0], parts / total


def _mean(slopes: Floats, weights: Floats) -> Floats:
    """Sum over terms of weights (points, terms) times slopes (points, terms, exponents)."""
    return np.asarray(np.matmul(weights[..., None, :], slopes)[..., 0, :], dtype=np.float64)


def log_value(form: Form, vector: Floats, x: Floats) -> tuple[Floats, Floats]:
    """ln y at each point and its derivatives (points, parameters).

    `x` holds ln(variable / geometric mean), a column per variable; `vector` the exponents, then
    ln(coefficient), or for kind `log` the coefficients themselves. Leading dimensions of `vector`
    (kinds `sum` and `odds`) are kept.
    """
    split = len(form.exponents)
    phi, slopes = form.terms(vector[..., :split], x)
    c = vector[..., None, split:]
    if form.kind == "log":
        return phi @ c[0], np.concatenate([_mean(slopes, np.broadcast_to(c, phi.shape)), phi], 1)
    if form.kind == "sum":
        value, share = _sum(phi + c)
        return value, np.concatenate([_mean(slopes, share), share], axis=-1)
    return _log_odds_value(form, (phi + c)[..., 1:], slopes[..., 1:, :], np.exp(c[..., 0]))


def _log_odds_value(
    form: Form, logs: Floats, slopes: Floats, floor: Floats
) -> tuple[Floats, Floats]:
    log_h, share = _sum(logs)
    s = expit(log_h)
    y = floor + (form.ceiling - floor) * s
    by_floor = (floor * (1 - s) / y)[..., None]
    by_h = ((form.ceiling - floor) * s * (1 - s) / y)[..., None]
    return np.log(y), np.concatenate([by_h * _mean(slopes, share), by_floor, by_h * share], axis=-1)


def products(
    id: str,
    formula: str,
    variables: tuple[str, ...],
    terms: dict[str, dict[str, str]],
    kind: Literal["sum", "odds"] = "sum",
    ceiling: float = 1.0,
    steepest: float = 2.0,
) -> Form:
    """A form whose terms are products of powers.

    `terms` maps each coefficient to its powers: {"A": {"depth": "-a"}} is A depth^-a, where a is
    between 0 and `steepest`; a leading minus belongs to the formula, not to the exponent.
    """
    signed = [name for powers in terms.values() for name in powers.values()]
    exponents = tuple(dict.fromkeys(name.lstrip("-") for name in signed))
    powers = np.zeros((len(terms), len(variables), len(exponents)))
    for j, term in enumerate(terms.values()):
        for variable, name in term.items():
            sign = -1 if name.startswith("-") else 1
            powers[j, variables.index(variable), exponents.index(name.lstrip("-"))] = sign

    flat = powers.transpose(1, 0, 2).reshape(len(variables), -1)

    def evaluate(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
        slopes = (x @ flat).reshape(len(x), len(terms), len(exponents))
        return np.matmul(slopes, theta[..., None, :, None])[..., 0], slopes

    def in_units(theta: Floats, c: Floats, centre: Floats) -> tuple[Floats, Floats]:
        return theta, c - evaluate(theta, centre[None])[0][0]

    bounds = ((0.0, steepest),) * len(exponents)
    return Form(
        id, formula, variables, exponents, tuple(terms), bounds, kind, evaluate, in_units, ceiling
    )


def monomials(
    id: str, formula: str, variables: tuple[str, ...], terms: tuple[tuple[str, ...], ...]
) -> Form:
    """ln y as a polynomial in ln x: a coefficient per monomial, halved for squares.

    With halved squares the coefficients of second order are the entries of the Hessian. They stay
    about the geometric means of the data, whatever the units.
    """
    factors = [[variables.index(v) for v in term] for term in terms]
    scale = np.array([0.5 if len(t) == 2 and t[0] == t[1] else 1.0 for t in terms])

    def evaluate(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
        columns = [np.prod(x[:, factor], axis=1) for factor in factors]
        return np.stack(columns, axis=1) * scale, np.zeros((len(x), len(terms), 0))

    names = tuple("*".join(term) or "1" for term in terms)
    return Form(id, formula, variables, (), names, (), "log", evaluate, lambda t, c, centre: (t, c))
