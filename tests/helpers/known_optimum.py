"""Results of an error surface with a known best depth at each cost."""

import math
from dataclasses import replace

import numpy as np

from helpers.made_up_results import run

GRID = [(d, w, r) for d in (14, 26, 50, 101) for w in (0.25, 0.5, 1.0) for r in (32, 48, 64, 96)]


def truth(depth, width, resolution, epochs=10):
    """Error with an interior optimum of depth at each cost."""
    d, w, r = math.log(depth / 40), math.log(width / 0.5), math.log(resolution / 55)
    bowl = 0.06 * d * d + 0.05 * w * w + 0.09 * r * r
    return 0.3 * math.exp(-0.15 * d - 0.2 * w - 0.25 * r + bowl - 0.1 * math.log(epochs / 10))


def finished(depth, width, resolution, epochs, seed, error):
    flops = round(4e4 * depth * width**2 * resolution**2)
    return replace(
        run(depth, width, epochs, seed, error),
        run_id=f"d{depth}-w{width:g}-r{resolution}-e{epochs}-s{seed}",
        config_id=f"d{depth}-w{width:g}-r{resolution}-e{epochs}",
        resolution=resolution,
        flops=flops,
        params=round(1e4 * depth * width**2),
        step_time_s=1e-9 * flops**0.8,
        peak_memory_bytes=round(1e3 * flops**0.6),
    )


def results(grid=GRID, epochs=(10,), seeds=3, sd=0.002):
    generator = np.random.default_rng(3)
    return [
        finished(*shape, e, s, truth(*shape, e) * (1 + sd * generator.standard_normal()))
        for shape in grid
        for e in epochs
        for s in range(seeds)
    ]
