"""What speedups.json holds about two families of a foreign table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from analysis.importing.families import family_of, speedup_between
from analysis.stats.indicators import compare
from analysis.study.columns import finite


def speedup(
    frame: pd.DataFrame, cost: str, names: Sequence[str | None], patterns: Sequence[str]
) -> dict[str, Any]:
    """Cost of the second family over that of the first at equal error, and how both compare.

    `frame` is that of `cells.measured`, `names` the family of each row. `models` are those of the
    second family: the ratio with its 95 % interval, None outside the range of the first.

    Raises:
        InputError: an error of zero, or no common range of errors.
    """
    parts = [frame[[name == pattern for name in names]] for pattern in patterns]
    noise = all(part["error_sd"].notna().all() for part in parts)
    a, b = (
        family_of(
            part,
            "cost",
            error_sd=part["error_sd"].fillna(0).to_numpy(),
            error_df=float(part["error_df"].min()),
        )
        for part in parts
    )
    s = speedup_between(a, b)
    points = [np.column_stack([family.cost, family.error]) for family in (a, b)]
    inside = s.ratio[~np.isnan(s.ratio)]
    ratios = np.column_stack([s.ratio, s.ratio_low, s.ratio_high, s.smooth_ratio])
    columns = ("ratio", "ci_low", "ci_high", "smooth_ratio")
    first, second = patterns
    known = f"[{s.mean_low:.2f}, {s.mean_high:.2f}]" if noise else "(seed noise unknown)"
    return {
        "cost": cost,
        "a": first,
        "b": second,
        "sentence": f"at equal error {second} costs {s.mean:.2f} times the {cost} of {first} "
        f"{known}, over {100 * s.share:.0f} % of the range of {second}",
        "mean": s.mean,
        "ci_low": s.mean_low if noise else None,
        "ci_high": s.mean_high if noise else None,
        "smooth_mean": s.smooth_mean,
        "range": [float(inside.min()), float(inside.max())] if inside.size else None,
        "share_of_range": s.share,
        "outside": list(s.outside),
        "models": [
            {"model": model, **dict(zip(columns, map(finite, values), strict=True))}
            for model, values in zip(s.names, ratios, strict=True)
        ],
        "indicators": {k: finite(v) for k, v in asdict(compare(*points)).items()},
    }
