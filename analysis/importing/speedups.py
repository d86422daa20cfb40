"""What speedups.json holds about two families of a foreign table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.importing.families import family_of, speedup_between
from analysis.stats.indicators import Comparison, compare
from analysis.stats.speedup import Speedup
from analysis.study.columns import Record

if TYPE_CHECKING:
    import pandas as pd


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def model_records(s: Speedup) -> list[Record]:
    """A record per model of B: the ratio with its 95 % interval; None outside A's range."""
    columns = {
        "ratio": s.ratio,
        "ci_low": s.ratio_low,
        "ci_high": s.ratio_high,
        "smooth_ratio": s.smooth_ratio,
    }
    return [
        {"model": name} | {key: _number(values[i]) for key, values in columns.items()}
        for i, name in enumerate(s.names)
    ]


def _sentence(s: Speedup, patterns: Sequence[str], cost: str, noise: bool) -> str:
    a, b = patterns
    interval = f"[{s.mean_low:.2f}, {s.mean_high:.2f}]" if noise else "(seed noise unknown)"
    return (
        f"at equal error {b} costs {s.mean:.2f} times the {cost} of {a} {interval}, over "
        f"{100 * s.share:.0f} % of the range of {b}"
    )


def speedup(
    frame: "pd.DataFrame", cost: str, names: Sequence[str | None], patterns: Sequence[str]
) -> dict[str, Any]:
    """Cost of the second family over that of the first at equal error, and how both compare.

    `frame` is that of `foreign_tables.measured`, `names` the family of each row.

    Raises:
        InputError: an error of zero, or no common range of errors.
    """
    parts = [frame[[name == pattern for name in names]] for pattern in patterns]
    noise = all(part["error_sd"].notna().all() for part in parts)
    a, b = (
        family_of(part, "cost", error_sd=part["error_sd"].fillna(0).to_numpy()) for part in parts
    )
    s = speedup_between(a, b)
    points = [np.column_stack([family.cost, family.error]) for family in (a, b)]
    compared: Comparison = compare(*points)
    inside = s.ratio[~np.isnan(s.ratio)]
    return {
        "cost": cost,
        "a": patterns[0],
        "b": patterns[1],
        "sentence": _sentence(s, patterns, cost, noise),
        "mean": s.mean,
        "ci_low": s.mean_low if noise else None,
        "ci_high": s.mean_high if noise else None,
        "smooth_mean": s.smooth_mean,
        "range": [float(inside.min()), float(inside.max())] if inside.size else None,
        "share_of_range": s.share,
        "outside": list(s.outside),
        "models": model_records(s),
        "indicators": {key: _number(value) for key, value in asdict(compared).items()},
    }
