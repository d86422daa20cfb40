"""Gaps between the arms, regime by regime: what rules judge, and a description of the rest."""

from collections.abc import Sequence
from typing import Any

from analysis.arms import Base, Pair, base_of, pairs_of
from analysis.contrast import Estimand, Gap, PreconditionError, gap_of
from analysis.noise import COSTS, Cell, Noise, cells_of, noise_of
from analysis.rules import Prereg
from analysis.tables import Table


def _noise(cells: Sequence[Cell], epochs: int, min_df: float) -> Noise:
    """Noise of one regime: how much runs scatter changes with how long they train."""
    regime = [c for c in cells if c.epochs == epochs]
    noise = noise_of(regime)
    if noise is None:
        raise PreconditionError(
            "one seed per cell and n_val unknown: nothing says how runs scatter"
        )
    if (df := sum(noise.dfs.values()) if noise.kind == "per cell" else noise.df({})) < min_df:
        raise PreconditionError(f"{df:g} degrees of freedom between seeds; {min_df:g} are needed")
    return noise


def gap_at(
    cells: Sequence[Cell], prereg: Prereg, base: Base, epochs: int, estimand: Estimand
) -> tuple[Gap, list[Pair], Noise]:
    """The gap at one regime, the arms and the noise it rests on.

    Raises:
        PreconditionError: a precondition of the declared rules fails.
    """
    pairs = pairs_of(cells, base, epochs, estimand.axis)
    noise = _noise(cells, epochs, prereg.min_df)
    gap = gap_of(pairs, noise, estimand, prereg.alpha, prereg.min_overlap)
    return gap, pairs, noise


def gaps(table: Table, prereg: Prereg) -> list[dict[str, Any]]:
    """The gap at every regime and cost, averaged and at each resolution: a description, no test.

    One record each: epochs, cost, resolution (px, None for the average), then estimate, low, high
    and se as relative errors, or the reason there are none.
    """
    cells = cells_of(table.rows)
    base = base_of(cells, prereg.base)
    records = []
    for epochs in sorted({c.epochs for c in cells}):
        resolutions = sorted({c.resolution for c in cells if c.epochs == epochs})
        for axis in COSTS:
            for resolution in (None, *resolutions):
                chosen = [c for c in cells if resolution in (None, c.resolution)]
                record: dict[str, Any] = {"epochs": epochs, "cost": axis, "resolution": resolution}
                records.append(record | _measured(chosen, prereg, base, epochs, axis))
    return records


def _measured(
    cells: Sequence[Cell], prereg: Prereg, base: Base, epochs: int, axis: str
) -> dict[str, Any]:
    try:
        gap, _, _ = gap_at(cells, prereg, base, epochs, Estimand(axis))
    except PreconditionError as reason:
        return {"estimate": None, "low": None, "high": None, "se": None, "reason": str(reason)}
    return {
        "estimate": gap.estimate,
        "low": gap.low,
        "high": gap.high,
        "se": gap.se,
        "reason": None,
    }
