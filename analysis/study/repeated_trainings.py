"""What repeated trainings measured: published ones, and the replicates in a results store."""

import csv
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from scaling_study.study.result import Result
from scaling_study.tasks.classification import prior_sd

TABLE = Path(__file__).with_name("repeated_trainings.csv")


@dataclass(frozen=True)
class Replicates:
    """The runs of one study and length of training, which differ within `cells` in the seed alone.

    `ratio` is the variance between seeds over that of the formula e / 2n, pooled by the `df`
    degrees of freedom; `images_seen` is training images times epochs.
    """

    study: Hashable
    data: str
    images_seen: float
    cells: int
    df: float
    ratio: float


# Study, data set and images seen.
Regime = tuple[Hashable, str, float]


class _Cell(NamedTuple):
    """One cell, or several with one pooled SD: errors and SDs are fractions."""

    error: float
    sd: float
    n_val: int
    df: float
    cells: int = 1


def _pooled(regimes: Mapping[Regime, Sequence[_Cell]]) -> list[Replicates]:
    found = []
    for (study, data, images_seen), cells in regimes.items():
        df = sum(c.df for c in cells)
        ratio = sum(c.df * (c.sd / prior_sd(c.error, c.n_val)) ** 2 for c in cells) / df
        # Errors are multiples of 1 / n; replicates that agree exactly scatter less than that.
        least = sum(c.df / (6 * c.n_val * c.error) for c in cells) / df
        count = sum(c.cells for c in cells)
        found.append(Replicates(study, data, images_seen, count, df, max(ratio, least)))
    return found


@lru_cache(maxsize=1)
def published() -> tuple[Replicates, ...]:
    """The shipped table, whose rows name their sources."""
    regimes: dict[Regime, list[_Cell]] = defaultdict(list)
    with TABLE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            seen = float(row["n_train"]) * float(row["epochs"])
            error, sd = (float(row[name]) / 100 for name in ("error_pct", "sd_pct"))
            cell = _Cell(error, sd, int(row["n_val"]), float(row["df"]), int(row["cells"]))
            regimes[row["study"], row["data"], seen].append(cell)
    return tuple(_pooled(regimes))


def replicates_in(results: Iterable[Result | None]) -> list[Replicates]:
    """The replicates of a store's finished runs, of all grids.

    Runs of one data set, family and recipe with the same images are a study, those of one
    `config_id` a cell. Runs whose micro-batch was halved are not replicates of the others.
    """
    errors: dict[str, list[float]] = defaultdict(list)
    known: dict[str, Result] = {}
    for result in results:
        if result is None or result.status != "ok" or result.memory_halvings:
            continue
        if not (result.n_train and result.n_val):  # a program that does not say them
            continue
        if result.val_error is not None and 0 < result.val_error < 1:
            errors[result.config_id].append(result.val_error)
            known[result.config_id] = result
    regimes: dict[Regime, list[_Cell]] = defaultdict(list)
    for config_id, values in errors.items():
        if len(values) < 2:
            continue
        r, n = known[config_id], len(values)
        mean = math.fsum(values) / n
        sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
        study = (r.data, r.n_train, r.n_val, r.eval_split, r.family, r.recipe)
        cell = _Cell(mean, sd, r.n_val or 0, n - 1)
        regimes[study, r.data, float((r.n_train or 0) * r.epochs)].append(cell)
    return _pooled(regimes)
