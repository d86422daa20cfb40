"""The declared forms by name, and how to look one up or make one for other variables."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
from scipy.special import expit

from analysis.fits.forms import Floats, Form, monomials, products
from scaling_study.common.errors import InputError

SIZE = ("depth", "width", "resolution")
LETTERS = "ABGHIJKLMN"
GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


def separable(variables: tuple[str, ...]) -> Form:
    """E + A / x^alpha + B / y^beta + ..., one term per variable (Hoffmann et al. 2022).

    Raises:
        InputError: no variable, one twice, or more than ten.
    """
    if not 1 <= len(variables) <= len(LETTERS) or len(set(variables)) < len(variables):
        raise InputError(f"variables of form add: {variables}; give 1 to 10 different ones")
    chosen = list(zip(variables, LETTERS, GREEK, strict=False))
    terms: dict[str, dict[str, str]] = {"E": {}}
    terms |= {letter: {v: f"-{exponent}"} for v, letter, exponent in chosen}
    text = " + ".join(["y = E", *(f"{c} {v}^-{e}" for v, c, e in chosen)])
    return products("add", text, variables, terms)


def psl(ceiling: float = 1.0) -> Form:
    """Bounded law with a term that grows with size: over-fitting (Bryant & Liu 2026).

    N, T, D are parameters, training steps or epochs, and images; `ceiling` is the error of a
    guesser.
    """
    return products(
        "psl",
        "y = E + (L0 - E) h / (1 + h), h = a N^-al + b T^-be + c N^ga D^-de",
        ("params", "epochs", "n_train"),
        {
            "E": {},
            "a": {"params": "-al"},
            "b": {"epochs": "-be"},
            "c": {"params": "ga", "n_train": "-de"},
        },
        "odds",
        ceiling,
    )


def second_order(variables: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """1, every variable, every square and every product of two."""
    pairs = combinations_with_replacement(variables, 2)
    return ((), *((v,) for v in variables), *pairs)


def quadratic(variables: tuple[str, ...]) -> Form:
    """ln y as a full quadratic in ln x: b0 + b'x + x'Hx / 2."""
    name = f"quad{len(variables)}"
    return monomials(name, "ln y = b0 + b'x + x'Hx / 2", variables, second_order(variables))


def quad4() -> Form:
    """quad3 and training length T: ln T, its square, ln T by each axis, ln T lr by ld and lw."""
    t, r = "epochs", "resolution"
    more = ((t,), (t, t), *((t, v) for v in SIZE), *((t, r, v) for v in SIZE[:2]))
    formula = "quad3 + ln T (1 + ln T + x + lr (ld, lw))"
    return monomials("quad4", formula, (*SIZE, t), (*second_order(SIZE), *more))


def _kink(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    """1, L and (L - t)+ with the derivative by t."""
    over = x[:, 0] > theta[0]
    phi = np.stack([np.ones(len(x)), x[:, 0], np.where(over, x[:, 0] - theta[0], 0.0)], axis=1)
    slopes = np.zeros((len(x), 3, 1))
    slopes[:, 2, 0] = -over.astype(float)
    return phi, slopes


def _kink_units(theta: Floats, c: Floats, centre: Floats) -> tuple[Floats, Floats]:
    return theta + centre[0], c - np.array([c[1] * centre[0], 0.0, 0.0])


def _smooth_break(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    """0 and -c0 L - c1 f1 ln(1 + exp((L - ln d1) / f1))."""
    c0, c1, log_d, f = np.moveaxis(theta, -1, 0)[..., None]
    u = (x[:, 0] - log_d) / f
    soft, sigma = np.logaddexp(0.0, u), expit(u)
    phi, slopes = np.zeros((*u.shape, 2)), np.zeros((*u.shape, 2, 4))
    phi[..., 1] = -c0 * x[:, 0] - c1 * f * soft
    by_c0 = np.broadcast_to(-x[:, 0], u.shape)
    slopes[..., 1, :] = np.stack([by_c0, -f * soft, c1 * sigma, -c1 * (soft - u * sigma)], axis=-1)
    return phi, slopes


def _smooth_break_units(theta: Floats, c: Floats, centre: Floats) -> tuple[Floats, Floats]:
    moved = theta + np.array([0.0, 0.0, centre[0], 0.0])
    return moved, c + np.array([0.0, theta[0] * centre[0]])


COST = ("flops",)
SHAPE = {"depth": "-a", "width": "-b", "resolution": "-c"}
MR = {"E": {}, "G": {"resolution": "-g"}, "A": SHAPE}
MRO = {**MR, "O": {"depth": "p", "width": "q", "resolution": "-h"}}
FORMS: dict[str, Form] = {
    form.id: form
    for form in (
        products("pl", "y = A C^-a", COST, {"A": {"flops": "-a"}}),
        products("spl", "y = E + A C^-a", COST, {"E": {}, "A": {"flops": "-a"}}),
        Form("seg", "ln y = b0 + b1 L + b2 (L - t)+, L = ln C", COST, ("t",), ("b0", "b1", "b2"),
             (None,), "log", _kink, _kink_units),
        # Caballero et al. 2023 (arXiv 2210.14891), one break.
        Form("bnsl1", "y = E + b C^-c0 (1 + (C / d1)^(1 / f1))^(-c1 f1), log_d1 = ln d1", COST,
             ("c0", "c1", "log_d1", "f1"), ("E", "b"),
             ((0.0, 2.0), (-2.0, 2.0), None, (0.05, 2.0)), "sum", _smooth_break,
             _smooth_break_units),
        # A q near 0 would be a second E.
        replace(products("u", "y = E + A C^-a + O C^q", COST,
                         {"E": {}, "A": {"flops": "-a"}, "O": {"flops": "q"}}),
                bounds=((0.0, 2.0), (0.05, 2.0))),
        monomials("line", "ln y = b0 + b1 ln C", COST, ((), COST)),
        quadratic(SIZE),
        quad4(),
        products("mr", "y = E + G r^-g + A d^-a w^-b r^-c", SIZE, MR, steepest=4.0),
        products("mro", "y = E + G r^-g + A d^-a w^-b r^-c + O d^p w^q r^-h", SIZE, MRO,
                 steepest=4.0),
        separable(SIZE),
        psl(),
    )
}  # fmt: skip


def form_of(form: str | Form, x: tuple[str, ...] | None = None) -> Form:
    """The form with this name; `add` takes the number of variables that `x` has.

    Raises:
        InputError: no such form, or it has another number of variables than `x`.
    """
    if isinstance(form, str) and form not in FORMS:
        raise InputError(f"form {form!r}; known: {', '.join(FORMS)}")
    found = FORMS[form] if isinstance(form, str) else form
    if x is not None and form == "add":
        return separable(x)
    if x is not None and len(x) != len(found.variables):
        raise InputError(
            f"form {found.id} has {len(found.variables)} variables "
            f"({', '.join(found.variables)}), not {len(x)} ({', '.join(x)})"
        )
    return found
