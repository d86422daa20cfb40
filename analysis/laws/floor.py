"""The value E that no run can beat, estimated from a study's own runs where it declares that.

E is that of the law y = E + A C^-a through the means of all configurations, with the training FLOPs
of a run as C where all have them, else the study's cost in the longest regime. The law is fitted to
ln(y) by least squares, so that configurations count alike. Its standard error is the longer side of
the 95 % profile interval over the quantile of Student's t with the law's degrees of freedom: the
scatter of configurations about the law, seed noise and lack of fit together.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.fits.fit import fit
from analysis.fits.intervals import profile_interval
from analysis.stats.contrast import t_quantile
from analysis.study.columns import ALL_COST_NAMES, LEVEL
from analysis.study.errors import NothingToCompareError
from analysis.study.measure import Floor, Measure, description_of
from analysis.study.table import Table
from scaling_study.common.errors import InputError

# Configurations of different costs that a law with a floor needs.
LEAST = 6
BUDGET = "train_flops"
GIVE = "declare the value that no run can beat, as in outcome.best=1.7"
Row = Mapping[str, Any]


def with_floor(table: Table, cost: str) -> Table:
    """The table with the distances of its outcomes to the fitted floor, where that is declared.

    Raises:
        InputError: no floor can be told from its runs; the message says why.
    """
    if not description_of(table.grid).fitted:
        return table
    floor = fitted_floor(table.rows, cost)
    changed = {name: _above(getattr(table, name), floor) for name in ("rows", "tuning")}
    return replace(table, **changed)


def fitted_floor(rows: Sequence[Row], cost: str) -> Floor:
    """The floor of the outcomes `val_error` of these runs; raises as `with_floor`."""
    x, y, over = _means(rows, cost)
    if len(set(x)) < LEAST:
        raise NothingToCompareError(
            f"outcome.best=fit: {len(set(x))} configurations of different {ALL_COST_NAMES[over]}; "
            f"a law with a floor needs {LEAST}; {GIVE}"
        )
    try:
        law = fit({"cost": np.array(x), "y": np.array(y)}, "spl", y="y", x="cost")
    except InputError as error:
        raise NothingToCompareError(f"outcome.best=fit: {error}; {GIVE}") from None
    value = law.parameters["E"]
    if "E" in law.at_bound or not 0 < value < min(y):
        raise NothingToCompareError(
            f"outcome.best=fit: outcomes over {ALL_COST_NAMES[over]} do not level off above 0 and "
            f"below the best of them, {min(y):.4g}; {GIVE}"
        )
    low, high = profile_interval(law, "E")
    half = max(value - low, high - value)
    se = half / t_quantile(law.df, LEVEL)
    text = (
        f"the floor {value:.4g} [{low:.4g}, {high:.4g}] was fitted to {len(y)} configurations over "
        f"{ALL_COST_NAMES[over]}, and its uncertainty is in the intervals of contrasts"
    )
    return Floor(value, se, float(law.df), text)


def _means(rows: Sequence[Row], cost: str) -> tuple[list[float], list[float], str]:
    """Cost and mean outcome of each configuration, and the name of that cost."""
    over = BUDGET if all(row.get(BUDGET) for row in rows) else cost
    longest = max(row["epochs"] for row in rows)
    groups = defaultdict[str, list[Row]](list)
    for row in rows:
        if row.get(over) and (over == BUDGET or row["epochs"] == longest):
            groups[str(row["config_id"])].append(row)
    x = [math.exp(float(np.mean([math.log(r[over]) for r in own]))) for own in groups.values()]
    return x, [float(np.mean([r["val_error"] for r in own])) for own in groups.values()], over


def _above(rows: Sequence[Row], floor: Floor) -> tuple[Row, ...]:
    """The rows with their outcomes above the floor; InputError for one that is not above it."""
    found = []
    for row in rows:
        gap = row["val_error"] - floor.value
        if gap <= 0:
            raise NothingToCompareError(
                f"outcome.best=fit: {row['run_id']} has {row['val_error']:.4g}, which is not above "
                f"the fitted floor {floor.value:.4g}; {GIVE}"
            )
        measure: Measure = row["measure"]
        found.append({**row, "val_error": gap, "measure": replace(measure, floor=floor)})
    return tuple(found)
