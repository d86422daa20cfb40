"""One seed per cell, judged by the prior: the true SD of each study is drawn around it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.study.noise_prior import published_prior
from calibration.case import Case, Rows
from calibration.simulator import Floats, TwoArms, study
from scaling_study.tasks.classification import prior_sd

MARGIN = 0.005
N_TRAIN, N_VAL = 1280, 8000
PRIOR = {"seed_sd": "prior"}
# ln(SD) of a study in units of its spread: how it is drawn in each length of training.
Draw = Callable[[np.random.Generator, int], Floats]


def shared(rng: np.random.Generator, regimes: int) -> Floats:
    """One normal deviation for all lengths of training."""
    return np.full(regimes, rng.standard_normal())


def separate(rng: np.random.Generator, regimes: int) -> Floats:
    """A normal deviation for each length of training."""
    return rng.standard_normal(regimes)


def heavy(rng: np.random.Generator, regimes: int) -> Floats:
    """One deviation for all, Student's t with 5 degrees of freedom and SD 1."""
    return np.full(regimes, rng.standard_t(5) * math.sqrt(3 / 5))


@dataclass(frozen=True)
class OneSeed:
    """A study of one seed per cell of `data`, whose noise is proportional to sqrt(error)."""

    made: TwoArms
    data: str
    draw: Draw

    def rows(self, rng: np.random.Generator) -> Rows:
        deviations = self.draw(rng, len(self.made.regimes))
        rows: Rows = []
        for regime, deviation in zip(self.made.regimes, deviations, strict=True):
            factor = published_prior().factor(self.data, float(N_TRAIN * regime.epochs))
            sd = math.exp(factor.log_mean + factor.log_sd * deviation)
            sd *= prior_sd(regime.error, N_VAL)
            levels = [cell[3] for cell in self.made.cells(regime)]
            scatter = [math.exp((level - levels[0]) / 2) for level in levels]
            own = replace(self.made, regimes=(replace(regime, sd=sd),), factors=scatter)
            rows += own.rows(rng)
        return [{**row, "data": self.data, "n_train": N_TRAIN} for row in rows]


def _case(rule: str, data: str, draw: Draw, what: str) -> Case:
    made = OneSeed(study(long=MARGIN, seeds=1), data, draw)
    known = "a data set with replicates elsewhere" if data == "fractals" else "an unknown data set"
    return Case(
        rule, f"one seed, SD drawn around the prior, {known}{what}", MARGIN, made.rows, PRIOR
    )


def _regret(data: str) -> Case:
    made = study(0.002, 0.05, seeds=1)
    name = "one seed, SD drawn around the prior, short gap +0.2 %, long gap +5 %"
    return Case("R4", name, made.regret(), OneSeed(made, data, shared).rows, PRIOR)


CASES = [
    *(_case("R1-long", data, shared, "") for data in ("fractals", "unknown")),
    *(_case("R1-long", data, heavy, ", t5") for data in ("fractals", "unknown")),
    *(
        _case("R1-interaction", data, draw, what)
        for data in ("fractals", "unknown")
        for draw, what in (
            (shared, ", one factor"),
            (separate, ", a factor for each length of training"),
        )
    ),
    _regret("fractals"),
]
