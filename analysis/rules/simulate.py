"""Verdicts on simulated studies: how often a planned grid would support a rule, true or not."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from analysis.rules.evidence import Evidence
from analysis.rules.planned_noise import PlannedNoise
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand, combine_weights
from analysis.stats.decision import value_of
from analysis.study.arms import Pair
from analysis.study.study_cells import StudyCells

DRAWS = 4000
# Error falls with this power of FLOPs on the simulated surfaces; where the arms' cells differ in
# FLOPs the slope shifts both arms alike.
SLOPE = 0.15


def chances(
    cells: StudyCells,
    prereg: Preregistration,
    rule: Rule,
    epochs: int,
    *,
    effect: float,
    seed_sd: float,
    seeds: int | None = None,
    spread: float = 0.0,
) -> dict[str, float]:
    """Share of `DRAWS` simulated studies that get each verdict.

    They have `seeds` seeds in every cell, or as many as each of `cells` has.

    The surface is ln(error) = const - SLOPE ln(FLOPs), on which neither arm is better; then the
    first arm's cells are shifted until the gap is `effect` (relative error). Noise is normal with
    SD `seed_sd` (fraction), or in each study another one, lognormal with SD `spread` of its
    logarithm; each cell's estimate of it is drawn from the matching chi-square and used as in a
    real study (`Noise.of_sum`). Raises as `combine_weights`.
    """
    pairs = cells.pairs(epochs, "flops", rule.arms)
    weights = combine_weights(pairs, Estimand("flops"), prereg.min_overlap)
    errors = _surface(pairs, weights, effect)
    counts = {c.config_id: seeds or c.n for c in cells.regime(epochs)}
    rng = np.random.default_rng(20210319)
    omega = np.array([weights[key] for key in errors])
    mean = np.array(list(errors.values()))
    sds = seed_sd * np.exp(spread * rng.standard_normal((DRAWS, 1))) if spread else seed_sd
    trained = np.array([counts[key] for key in errors])
    drawn = mean + sds / np.sqrt(trained) * rng.standard_normal((DRAWS, mean.size))
    drawn = drawn.clip(min=1e-6)
    estimate = np.log(drawn) @ omega
    variances = dict.fromkeys(counts, seed_sd**2)
    replicates = {key: (v, counts[key] - 1) for key, v in variances.items() if counts[key] > 1}
    noise = PlannedNoise("pooled", variances, {}, "", replicates)
    factors = dict(zip(errors, (omega / mean) ** 2 / trained, strict=True))
    variance, df = noise.draw(factors, DRAWS, rng)
    half = (
        np.ravel(sds)
        / seed_sd
        * np.sqrt(variance)
        * stdtrit(df.clip(max=1e9), 1 - Evidence(cells, prereg).alpha / 2)
    )
    low, high = rule.sign * estimate - half, rule.sign * estimate + half
    found = Counter(value_of(a, b, rule.margin)[0] for a, b in zip(low, high, strict=True))
    return {value: found[value] / DRAWS for value in ("supported", "refuted", "inconclusive")}


def _surface(pairs: Sequence[Pair], weights: dict[str, float], effect: float) -> dict[str, float]:
    """Errors by config_id whose gap is `effect`."""
    cells = {c.config_id: c for pair in pairs for c in pair.cells}
    flops = {key: np.log(c.cost("flops") or np.nan) for key, c in cells.items()}
    mean = np.mean([flops[c.config_id] for pair in pairs for c in pair.cells])
    base = {key: np.log(c.error) - SLOPE * (flops[key] - mean) for key, c in cells.items()}
    shared = {c.config_id for pair in pairs for c in pair.second}
    moved = [c.config_id for pair in pairs for c in pair.first if c.config_id not in shared]
    bias = sum(weights[key] * y for key, y in base.items())
    shift = (effect - bias) / sum(weights[key] for key in moved)
    return {key: float(np.exp(y + shift * (key in moved))) for key, y in base.items()}
