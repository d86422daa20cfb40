"""Adaptive studies that stop once their rules are decided, with effects at the margin."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from analysis.rules.preregistration import load_rules
from calibration.adaptive import Adaptive
from calibration.case import Case, Rows
from calibration.simulator import TwoArms, study

MARGIN, SEEDS = 0.005, 12
PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}
# What may be spent, in times the grid with one seed per cell, and in how many rounds.
DESIGNS = {"4 rounds": (4.0, 4), "2 rounds": (3.0, 2)}
NOISE: dict[str, dict[str, Any]] = {
    "normal": {},
    "middle cells 3x noisier": {"factors": (1, 3, 1, 3, 1)},
    "dear cells 3x noisier": {"factors": (1, 1, 3, 1, 3)},
}


def _drawn(made: TwoArms, rng: np.random.Generator) -> Rows:
    return [row | {"train_flops": row["flops"] * 3840 * row["epochs"]} for row in made.rows(rng)]


@cache
def _adaptive(times: float, rounds: int, rules: tuple[str, ...]) -> Adaptive:
    candidates = _drawn(study(seeds=SEEDS), np.random.default_rng(0))
    once = sum(row["train_flops"] for row in candidates if row["seed"] == 0)
    return Adaptive(candidates, load_rules(None, {}), PILOT, times * once, rules, rounds)


def _case(rule: str, design: str, noise: str, rules: tuple[str, ...], **gaps: float) -> Case:
    made, found = study(seeds=SEEDS, **gaps, **NOISE[noise]), _adaptive(*DESIGNS[design], rules)
    draw: Callable[[np.random.Generator], Rows] = lambda rng: _drawn(made, rng)  # noqa: E731
    truth = made.regret() if rule == "R4" else MARGIN
    return Case(rule, f"adaptive, {design}, {noise}", truth, draw, trained=found.study)


CASES = [
    *(_case("R1-long", design, "normal", ("R1-long",), long=MARGIN) for design in DESIGNS),
    *(
        _case("R1-long", "4 rounds", noise, ("R1-long",), long=MARGIN)
        for noise in NOISE
        if noise != "normal"
    ),
    _case("R1-interaction", "4 rounds", "normal", ("R1-long", "R1-interaction"), long=MARGIN),
    _case("R4", "4 rounds", "normal", ("R1-long", "R4"), short=0.002, long=0.05),
]
