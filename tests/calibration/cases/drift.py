"""Step times that drift: what replicates of a cell share, and load that changes while runs pass."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.case import Case, Rows
from calibration.simulator import TwoArms, study

MARGIN = 0.005
Order = Callable[[dict[str, Any]], tuple[float, ...]]


@dataclass(frozen=True)
class Passing:
    """Runs in an order, one after the other, while the machine's load changes slowly.

    ln(step time) gains an autoregressive process of SD `sd` whose neighbours have the correlation
    `memory`; `order` sorts the runs.
    """

    made: TwoArms
    order: Order
    sd: float = 0.1
    memory: float = 0.9

    def rows(self, rng: np.random.Generator) -> Rows:
        rows = sorted(self.made.rows(rng), key=self.order)
        mood = rng.standard_normal()
        for row in rows:
            row["step_time_s"] *= math.exp(self.sd * mood)
            fresh = rng.standard_normal()
            mood = self.memory * mood + math.sqrt(1 - self.memory**2) * fresh
        return rows


def longest_first(row: dict[str, Any]) -> tuple[float, ...]:
    """All seeds of a cell back to back, the dearest cell first."""
    return -row["epochs"] * row["flops"], row["seed"]


def by_seed(row: dict[str, Any]) -> tuple[float, ...]:
    """One seed of every cell, then the next."""
    return row["seed"], -row["epochs"] * row["flops"]


def _case(rule: str, drift: float, seeds: int, timing: float = 0.01) -> Case:
    made = study(long=MARGIN, seeds=seeds, drift=drift, timing=timing)
    name = f"drift of {100 * drift:g} % shared by replicates, {seeds} seeds"
    return Case(rule, name, MARGIN, made.rows)


def _passing(rule: str, seeds: int, name: str, order: Order) -> Case:
    made = Passing(study(long=MARGIN, seeds=seeds, timing=0.01), order)
    return Case(rule, f"load drifts in time by 10 %, {name}, {seeds} seeds", MARGIN, made.rows)


def _regret(drift: float, seeds: int, short: float, long: float) -> Case:
    made = study(short, long, seeds=seeds, drift=drift, timing=0.01)
    gaps = f"short gap {100 * short:+g} %, long gap {100 * long:+g} %"
    name = f"drift of {100 * drift:g} % shared by replicates, {gaps}, {seeds} seeds"
    return Case("R4", name, made.regret(), made.rows)


RULES = ("R1-long", "R1-interaction")
CASES = [
    *(_case(rule, drift, n) for rule in RULES for drift in (0.05, 0.1) for n in (3, 5)),
    *(
        _passing(rule, n, name, order)
        for rule in RULES
        for n in (3, 5)
        for name, order in (("seed by seed", by_seed), ("longest first", longest_first))
    ),
    *(_regret(0.1, n, short, 0.05) for n in (3, 5) for short in (-0.05, 0.002, 0.05)),
]
