"""Sup-F: one break in a straight line, searched for, with bootstrap p values."""

import math

import numpy as np

from analysis.fits.forms import Floats

QUANTILES = (0.15, 0.85)
CANDIDATES = 200


def _designs(x: Floats) -> tuple[Floats, Floats]:
    """Residual maker of the straight line, and what each breakpoint adds to it (unit columns)."""
    line = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))[0]
    maker = np.eye(len(x)) - line @ line.T
    low, high = np.quantile(x, QUANTILES).tolist()
    breaks = np.linspace(low, high, CANDIDATES)
    kinks = maker @ np.maximum(x[:, None] - breaks, 0.0)
    size = np.linalg.norm(kinks, axis=0)
    return maker, kinks[:, size > 1e-9] / size[size > 1e-9]


def sup_f(x: Floats, y: Floats) -> Floats:
    """Largest F for one break, for each row of y; 200 breaks between the 15 % and 85 % quantiles.

    F = (RSS_line - RSS_broken) / (RSS_broken / (n - 4)) (Andrews 1993).
    """
    maker, kinks = _designs(x)
    r = np.atleast_2d(y) @ maker
    gain = np.max((r @ kinks) ** 2, axis=1)
    return np.asarray(gain / ((np.sum(r**2, axis=1) - gain) / (len(x) - 4)), dtype=np.float64)


def bootstrap_p(x: Floats, y: Floats, draws: int = 999, seed: int = 1993) -> tuple[float, float]:
    """P values of sup-F under a straight line: normal residuals, and residuals with random signs.

    The signs (wild bootstrap, Rademacher) keep a variance that changes with cost. A table of F
    would reject a true line about three times too often, because the break is searched for.
    """
    observed = float(sup_f(x, y)[0])
    line = np.polynomial.Polynomial.fit(x, y, 1)(x)
    r = y - line
    sd = math.sqrt(float(np.sum(r**2)) / (len(x) - 2))
    generator = np.random.default_rng(seed)
    normal = line + sd * generator.standard_normal((draws, len(x)))
    scale = math.sqrt(len(x) / (len(x) - 2))
    wild = line + scale * r * generator.choice([-1.0, 1.0], (draws, len(x)))
    p_normal, p_wild = (
        float((1 + np.sum(sup_f(x, sample) >= observed)) / (draws + 1)) for sample in (normal, wild)
    )
    return p_normal, p_wild
