"""From a foreign frame with our columns to frontier records and the speed-up of two families."""

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.importing.columns import TEXT
from analysis.importing.families import positive
from analysis.importing.read_csv import CELL, Imported, with_numbers
from analysis.stats.contrast import t_quantile
from analysis.stats.pareto import on_frontier
from analysis.study.columns import Record, finite, interval
from analysis.study.noise_prior import Factor, published_prior
from scaling_study.common.errors import InputError
from scaling_study.study.axes import CELL_AXES
from scaling_study.tasks.classification import prior_sd

# Costs in the order in which one is taken if none is asked for.
COSTS = ("image_time_s", "step_time_s", "flops", "train_flops", "params", "activations")
LEVEL = 0.975


def _means(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row per configuration of a frame with replicates; the SD of a run is pooled."""
    groups = frame.groupby(list(keys), sort=False, dropna=False)
    error, size = groups["val_error"].transform("mean"), groups["val_error"].transform("size")
    squares = float(((frame["val_error"] - error) ** 2).sum())
    df = len(frame) - groups.ngroups
    log_cost = frame.assign(log=np.log(frame["cost"])).groupby(list(keys), dropna=False)["log"]
    means = frame.assign(
        val_error=error,
        seeds=size,
        cost=np.exp(log_cost.transform("mean")),
        error_sd=(squares / df) ** 0.5 / np.sqrt(size),
        error_df=float(df),
    )
    return means.drop_duplicates(keys)


def cells_of(frame: pd.DataFrame, cost: str, n_val: int | None) -> pd.DataFrame:
    """One row per configuration, cheapest first: mean error over seeds, geometric mean cost, and
    the standard error of that mean with its degrees of freedom.

    Replicates differ in `seed` alone, and their SD is pooled over configurations; without any it
    is the prior of `n_val` images (`study.noise_prior`), or unknown (NaN).
    """
    keys = [c for c in CELL if c in frame]
    cells = frame.assign(cost=positive(frame, cost), seeds=1)
    if "seed" in frame and keys and frame.duplicated(keys).any():
        cells = _means(cells, keys)
    else:
        sizes = frame["n_val"] if "n_val" in frame else [n_val or 0] * len(frame)
        both = zip(frame["val_error"], sizes, strict=True)
        factors = [_factor(row) for row in frame.to_dict("records")]
        formula = [prior_sd(e, n) if n > 0 else np.nan for e, n in both]
        cells["error_sd"] = [f.scale * sd for f, sd in zip(factors, formula, strict=True)]
        cells["error_df"] = [f.df for f in factors]
    cells["model"] = _names(cells)
    return cells.sort_values(["cost", "val_error"], kind="stable").reset_index(drop=True)


def _factor(row: Mapping[Hashable, Any]) -> Factor:
    """What multiplies the formula of seed noise, by the row's data set and length if they are."""
    images, epochs = (row.get(name, np.nan) for name in ("n_train", "epochs"))
    seen = images * epochs
    return published_prior().factor(row.get("data"), seen if seen > 0 else None)


def measured(table: Imported, cost: str | None, n_val: int | None) -> tuple[Imported, str]:
    """The configurations whose cost is known, cheapest first, and the name of that cost.

    Raises:
        InputError: no such cost, or none at all.
    """
    known = [str(c) for c in table.frame if c not in (*TEXT, "val_error", "train_error", "seed")]
    cost = cost or next((c for c in COSTS if c in known), None)
    if cost is None or cost not in known:
        wanted = f"no cost {cost!r}" if cost else f"none of {', '.join(COSTS)}"
        there = ", ".join(known) or "none"
        raise InputError(f"{wanted} among the columns ({there}); map one, as in --map flops=macs")
    frame, missing = with_numbers(table.frame, ["val_error", cost])
    cells = cells_of(frame, cost, n_val)
    return Imported(cells, dict(table.left_out) | missing), cost


def _names(frame: pd.DataFrame) -> list[str]:
    """What configurations are called: by model and, if that is not enough, resolution; without a
    model by their settings, or else by run."""
    if "model" in frame:
        names = frame["model"].astype(str)
        if names.duplicated().any() and "resolution" in frame:
            names = names + [f"@{r:g}" for r in frame["resolution"]]
        return list(names)
    settings = [c for c in CELL if c in frame]
    if not settings:
        return [str(n) for n in frame.get("run_id", frame.index + 1)]
    short = {axis.name: axis.prefix for axis in CELL_AXES}
    return [
        " ".join(
            f"{short.get(k, '')}{v:g}" if isinstance(v, float) else str(v)
            for k, v in zip(settings, row, strict=True)
        )
        for row in frame[settings].itertuples(index=False)
    ]


def split(frame: pd.DataFrame, patterns: Sequence[str] | None) -> list[str | None]:
    """The family of each row: the one of two regular expressions found in its model's name.

    Raises:
        InputError: an invalid pattern, one that finds nothing, or a model that both find.
    """
    names: list[str | None] = [None] * len(frame)
    for pattern in patterns or ():
        try:
            found = [bool(re.search(pattern, model)) for model in frame["model"]]
        except re.error as error:
            raise InputError(f"--families {pattern!r} is no regular expression: {error}") from None
        if not any(found):
            some = ", ".join(frame["model"].head(5))
            raise InputError(f"--families {pattern!r} finds no model; some are {some}")
        for row in np.flatnonzero(found):
            if names[row] is not None:
                raise InputError(f"--families: {frame['model'][row]} is in both families")
            names[row] = pattern
    return names


def records_of(frame: pd.DataFrame, cost: str, names: Sequence[str | None]) -> list[Record]:
    """Every configuration against one cost, cheapest first, with its 95 % interval if known."""
    costs, errors = frame["cost"].to_numpy(), frame["val_error"].to_numpy()
    front, own = on_frontier(costs, errors), np.zeros(len(frame), dtype=bool)
    for family in set(names):
        rows = np.flatnonzero([name == family for name in names])
        own[rows] = on_frontier(costs[rows], errors[rows])
    quantiles = np.array([t_quantile(df, LEVEL) for df in frame["error_df"]])
    half = quantiles * frame["error_sd"].to_numpy()
    best = np.minimum.accumulate(errors)
    return [
        {
            "name": row["model"],
            "family": names[i],
            "cost_axis": cost,
            "cost": float(costs[i]),
            **interval("error", float(errors[i]), finite(half[i])),
            "seeds": int(row["seeds"]),
            "on_frontier": bool(front[i]),
            "on_family_frontier": bool(own[i]),
            "frontier_error": float(best[i]),
        }
        for i, row in enumerate(frame.to_dict("records"))
    ]
