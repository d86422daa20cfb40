"""Results and cells of runs that nobody trained, with a known answer."""

import math
from dataclasses import replace

import numpy as np

from analysis.study.cells import Cell
from scaling_study.study.result import Result

DEPTHS = ((14, 0.25), (26, 0.25), (50, 0.25), (98, 0.25))
WIDTHS = ((14, 0.5), (14, 1.0))


def run(depth: int, width: float, epochs: int, seed: int, error: float) -> Result:
    """A finished run whose costs grow with depth and with width squared."""
    flops = round(1e6 * depth * (4 * width) ** 1.2)
    config_id = f"d{depth}-w{width:g}-r32-e{epochs}"
    return Result(
        run_id=f"{config_id}-s{seed}",
        config_id=config_id,
        status="ok",
        data="synthetic",
        family="resnet",
        depth=depth,
        width=width,
        resolution=32,
        epochs=epochs,
        seed=seed,
        recipe="plain",
        batch_size=64,
        lr=0.1,
        params=flops // 10,
        flops=flops,
        activations=flops // 100,
        train_flops=3 * flops * epochs * 1000,
        precision="fp32",
        n_train=1000,
        n_val=2000,
        eval_split="val",
        val_error=error,
        train_error=error / 2,
        step_time_s=flops * 1e-9,
        threads=1,
        world_size=1,
        device="cpu: test",
    )


def runs(effects: dict[int, float], seeds: int = 3, sd: float = 0.002) -> list[Result]:
    """Both arms per regime; at any cost the depth arm errs less by about `effects[epochs]`.

    Errors follow a power law of FLOPs from the shared base; off the base each arm is shifted by
    half of the effect, scaled so that the mean over the common range is the effect.
    """
    generator = np.random.default_rng(7)
    found = []
    for epochs, effect in effects.items():
        for depth, width in (*DEPTHS, *WIDTHS):
            first = run(depth, width, epochs, 0, 0.5)
            x = math.log(first.flops / run(14, 0.25, epochs, 0, 0.5).flops)
            # Linear in ln cost, so the quadratic basis has no bias; mean over [0, top] is effect/2.
            top = math.log(min(98 / 14, 4**1.2))
            shift = effect * x / top * (0 if x == 0 else (-1 if width == 0.25 else 1))
            error = 0.5 * math.exp(-0.2 * x + shift)
            for seed in range(seeds):
                found.append(
                    run(depth, width, epochs, seed, error + sd * float(generator.standard_normal()))
                )
    return found


def renamed(result: Result, suffix: str) -> Result:
    """The same run under another name."""
    return replace(result, run_id=result.run_id + suffix, config_id=result.config_id + suffix)


def cell(
    name: str, cost: float, errors: tuple[float, ...], depth: int = 1, width: float = 1.0
) -> Cell:
    """A cell with the same cost on every axis."""
    costs = dict.fromkeys(("step_time_s", "flops", "params"), (cost,) * len(errors))
    return Cell(
        config_id=name,
        depth=depth,
        width=width,
        resolution=32,
        epochs=10,
        errors=errors,
        costs=costs,
        n_val=10_000,
    )
