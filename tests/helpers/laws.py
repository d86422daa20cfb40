"""A made-up law with noise."""

import numpy as np


def curve(seed, n=20, noise=0.02, e=0.14, a=0.4):
    """A saturating law of cost with relative noise."""
    generator = np.random.default_rng(seed)
    cost = np.geomspace(1e8, 1e11, n)
    y = (e + 0.5 * (cost / 1e8) ** -a) * np.exp(noise * generator.standard_normal(n))
    return {"flops": cost, "y": y}
