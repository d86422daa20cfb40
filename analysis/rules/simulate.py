"""Verdicts on simulated studies: how often a planned grid would support a rule, true or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand, combine_weights
from analysis.stats.decision import value_of
from analysis.stats.interpolation import Floats
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.study_cells import StudyCells

DRAWS = 4000
# Error falls with this power of FLOPs on the simulated surfaces; where the arms' cells differ in
# FLOPs the slope shifts both arms alike.
SLOPE = 0.15


@dataclass(frozen=True)
class Chances:
    """Share of simulated studies with each verdict, for a true effect (relative error) and SD."""

    effect: float
    seed_sd: float
    seeds: int
    shares: dict[str, float]


def chances(
    cells: StudyCells,
    prereg: Preregistration,
    rule: Rule,
    epochs: int,
    *,
    effect: float,
    seed_sd: float,
    seeds: int,
) -> Chances:
    """Simulate the study `DRAWS` times with `seeds` seeds a cell and judge every one.

    The surface is ln(error) = const - SLOPE ln(FLOPs), on which neither arm is better; then the
    first arm's cells are lowered (or raised) until the gap is `effect`. Noise is normal with SD
    `seed_sd` (fraction of error); its estimate is drawn from the matching chi-square.

    Raises:
        PreconditionError: the arms cannot be compared.
    """
    pairs = cells.pairs(epochs, "flops", rule.arms)
    weights = combine_weights(pairs, Estimand("flops"), prereg.min_overlap)
    errors = _surface(pairs, weights, effect)
    rng = np.random.default_rng(20210319)
    omega = np.array([weights[key] for key in errors])
    mean = np.array(list(errors.values()))
    drawn = mean + seed_sd / np.sqrt(seeds) * rng.standard_normal((DRAWS, mean.size))
    drawn = drawn.clip(min=1e-6)
    count = sum(c.epochs == epochs for c in cells)
    df = count * (seeds - 1)
    variance = seed_sd**2 * (rng.chisquare(df, DRAWS) / df if df else np.ones(DRAWS))
    estimate = np.log(drawn) @ omega
    se = np.sqrt(variance / seeds * ((omega / drawn) ** 2).sum(axis=1))
    half = se * stdtrit(df or 1e9, 1 - prereg.alpha / 2)
    low, high = rule.sign * estimate - half, rule.sign * estimate + half
    found = Counter(value_of(a, b, rule.margin)[0] for a, b in zip(low, high, strict=True))
    shares = {value: found[value] / DRAWS for value in ("supported", "refuted", "inconclusive")}
    return Chances(effect, seed_sd, seeds, shares)


def _surface(pairs: Sequence[Pair], weights: dict[str, float], effect: float) -> dict[str, float]:
    """Errors by config_id whose gap is `effect`."""
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    base = {key: np.log(c.error) - SLOPE * _relative_flops(c, pairs) for key, c in cells.items()}
    shared = {c.config_id for pair in pairs for c in pair.second}
    moved = [c.config_id for pair in pairs for c in pair.first if c.config_id not in shared]
    bias = sum(weights[key] * y for key, y in base.items())
    reach = sum(weights[key] for key in moved)
    shift = (effect - bias) / reach
    return {key: float(np.exp(y + shift * (key in moved))) for key, y in base.items()}


def _relative_flops(cell: Cell, pairs: Sequence[Pair]) -> float:
    costs: Floats = np.log([c.cost("flops") or np.nan for pair in pairs for c in pair.cells])
    return float(np.log(cell.cost("flops") or np.nan) - costs.mean())
