"""Gaps between two arms, regime by regime: what rules judge, and a description of the rest."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, Gap, gap_of, t_quantile
from analysis.stats.sequential import inflation
from analysis.study.arms import DEPTH_WIDTH, Pair
from analysis.study.cells import Cell
from analysis.study.columns import COST_NAMES
from analysis.study.errors import PreconditionError
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells


def regimes_of(cells: Sequence[Cell]) -> tuple[int, int]:
    """(shortest, longest) regime in epochs.

    Raises:
        PreconditionError: there is one regime only.
    """
    regimes = sorted({c.epochs for c in cells})
    if len(regimes) < 2:
        raise PreconditionError(f"one regime only ({regimes[0]} epochs); long and short need two")
    return regimes[0], regimes[-1]


def check_regimes(cells: Sequence[Cell], planned: Sequence[int]) -> None:
    """Raises PreconditionError if the shortest or longest planned regime has no finished run."""
    finished = {c.epochs for c in cells}
    for epochs in {min(planned), max(planned)} - finished if planned else ():
        raise PreconditionError(f"no run of {epochs} epochs, which the plan has, can be analysed")


def regime_noise(cells: StudyCells, prereg: Preregistration, epochs: int) -> Noise:
    """Noise of one regime: how much runs scatter changes with how long they train.

    Raises:
        PreconditionError: nothing says how runs scatter, or too few seeds do.
    """
    noise = cells.noise(epochs)
    if noise is None or noise.kind == "prior":
        return _external(cells.regime(epochs), noise, prereg)
    if (
        df := sum(noise.dfs.values()) if noise.kind == "per cell" else noise.df({})
    ) < prereg.min_df:
        raise PreconditionError(
            f"{df:g} degrees of freedom between seeds; {prereg.min_df:g} are needed"
        )
    return noise


def _external(regime: Sequence[Cell], prior: Noise | None, prereg: Preregistration) -> Noise:
    """Noise that the rules declare, because one seed per cell measures none."""
    if prereg.seed_sd == "prior" and prior is not None:
        return prior
    if isinstance(prereg.seed_sd, float):
        text = f"declared, {100 * prereg.seed_sd:.2f} pp (one seed per cell: not measured)"
        keys = [c.config_id for c in regime]
        variances = dict.fromkeys(keys, prereg.seed_sd**2)
        return Noise("prior", variances, dict.fromkeys(keys, math.inf), text)
    raise PreconditionError(
        "one seed per cell does not measure how runs scatter; more seeds, or rules.seed_sd, do"
    )


def gap_at(
    cells: StudyCells,
    prereg: Preregistration,
    epochs: int,
    estimand: Estimand,
    arms: tuple[str, str] = DEPTH_WIDTH,
) -> tuple[Gap, list[Pair], Noise]:
    """The gap at one regime, the arms and the noise it rests on.

    With planned looks the interval is widened, so that all of them together keep the level.

    Raises:
        PreconditionError: a precondition of the declared rules fails.
    """
    pairs = cells.pairs(epochs, estimand.axis, arms)
    noise = regime_noise(cells, prereg, epochs)
    gap = gap_of(pairs, noise, estimand, prereg.alpha, prereg.min_overlap)
    return widen_for_looks(gap, [c.n for pair in pairs for c in pair.cells], prereg), pairs, noise


def widen_for_looks(gap: Gap, seeds: Sequence[int], prereg: Preregistration) -> Gap:
    """A gap with the interval that planned looks ask for, at these seeds per cell."""
    if not prereg.looks:
        return gap
    factor = inflation(prereg.looks, float(np.mean(seeds)), prereg.alpha)
    low, high = (gap.estimate + factor * (end - gap.estimate) for end in (gap.low, gap.high))
    return replace(gap, low=low, high=high)


def difference(longer: Gap, shorter: Gap, alpha: float) -> Gap:
    """longer - shorter, two gaps from independent seeds; Welch-Satterthwaite degrees of freedom."""
    variances = longer.se**2, shorter.se**2
    dfs = longer.df, shorter.df
    se = math.sqrt(sum(variances))
    parts = sum(v**2 / d for v, d in zip(variances, dfs, strict=True))
    df = sum(variances) ** 2 / parts if parts else math.inf
    estimate = longer.estimate - shorter.estimate
    half = t_quantile(df, 1 - alpha / 2) * se
    return replace(
        longer,
        estimate=estimate,
        se=se,
        df=df,
        low=estimate - half,
        high=estimate + half,
        cost_se=math.hypot(longer.cost_se, shorter.cost_se),
        weights=dict(longer.weights) | {k: -w for k, w in shorter.weights.items()},
    )


def as_sample(
    cells: StudyCells,
    prereg: Preregistration,
    epochs: int,
    estimand: Estimand,
    arms: tuple[str, str] = DEPTH_WIDTH,
) -> tuple[float, float, float] | None:
    """(mean, low, high) of the gaps at each setting of the other axes, taken as a random sample.

    This interval is about settings that were not run; None with fewer than three of them.
    """
    pairs = cells.pairs(epochs, estimand.axis, arms)
    if len(pairs) < 3:
        return None
    noise = regime_noise(cells, prereg, epochs)
    each = [
        gap_of([pair], noise, estimand, prereg.alpha, prereg.min_overlap).estimate for pair in pairs
    ]
    mean, se = float(np.mean(each)), float(np.std(each, ddof=1)) / math.sqrt(len(each))
    half = t_quantile(len(each) - 1, 1 - prereg.alpha / 2) * se
    return mean, mean - half, mean + half


def gaps(cells: StudyCells, prereg: Preregistration) -> list[dict[str, Any]]:
    """Width minus depth at every regime and cost, averaged and at each resolution: no test.

    One record each: epochs, cost, resolution (px, None for the average), then estimate, low, high
    and se as relative errors, or the reason there are none.
    """
    records = []
    for epochs, regime in cells.regimes.items():
        resolutions = sorted({c.resolution for c in regime})
        for axis in COST_NAMES:
            for resolution in (None, *resolutions):
                chosen = cells if resolution is None else cells.at_resolution(resolution)
                record: dict[str, Any] = {"epochs": epochs, "cost": axis, "resolution": resolution}
                records.append(record | _measured(chosen, prereg, epochs, axis))
    return records


def _measured(cells: StudyCells, prereg: Preregistration, epochs: int, axis: str) -> dict[str, Any]:
    try:
        gap, _, _ = gap_at(cells, prereg, epochs, Estimand(axis))
    except PreconditionError as reason:
        return {"estimate": None, "low": None, "high": None, "se": None, "reason": str(reason)}
    return {
        "estimate": gap.estimate,
        "low": gap.low,
        "high": gap.high,
        "se": gap.se,
        "reason": None,
    }
