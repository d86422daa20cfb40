"""One step time of each network: the same whatever the length of training and the seed.

Runs share their machine with others, and replicates that follow each other share its mood. What
the same network takes in several regimes says how large that drift is: seeds that agree do not.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

STEP_TIME = "step_time_s"
# What step time depends on besides the settings that a grid varies on purpose.
SHAPE = (
    *("family", "depth", "width", "resolution", "batch_size", "precision", "device", "threads"),
    *("world_size", "params", "flops", "activations"),
)
Row = Mapping[str, Any]
Shape = tuple[Any, ...]
Source = Literal["regimes", "seeds", "measured"]


@dataclass(frozen=True)
class StepTime:
    """Step time of all runs of one `shape`: seconds, and what they rest on.

    `log_se` is the standard error of ln(seconds) with `df` degrees of freedom: 0 and infinite where
    nothing was timed twice. `source`: the same network in several regimes, seeds of one regime, or
    exclusive measurements.
    """

    shape: Shape
    seconds: float
    log_se: float
    df: float
    source: Source


def shape_of(row: Row) -> Shape:
    """What tells the network, batch and device of a run from others; columns it lacks are None."""
    settings = row.get("variant"), row.get("settings", ())
    return (*(row.get(name) for name in SHAPE), *settings)


def step_times(groups: Mapping[str, Sequence[Row]]) -> dict[str, StepTime]:
    """The step time of each cell, by config_id, from its shape's runs in all regimes.

    `groups` are the runs of each cell. The time is the geometric mean over cells (regimes) of
    those over seeds; runs with a `measured` step time take that. Cells without any have none.
    """
    found, logs, cells = dict[str, StepTime](), dict[str, list[float]](), defaultdict(list)
    for key, rows in groups.items():
        if measured := rows[0].get("measured"):
            found[key] = measured
        elif values := _logs(rows):
            logs[key] = values
            cells[shape_of(rows[0])].append(key)
    means = {key: float(np.mean(values)) for key, values in logs.items()}
    variance, df = _variance([[means[key] for key in keys] for keys in cells.values()], logs)
    source: Source = "regimes" if any(len(keys) > 1 for keys in cells.values()) else "seeds"
    for shape, keys in cells.items():
        seconds = math.exp(float(np.mean([means[key] for key in keys])))
        time = StepTime(shape, seconds, math.sqrt(variance / len(keys)), df, source)
        found |= dict.fromkeys(keys, time)
    return found


def _logs(rows: Sequence[Row]) -> list[float]:
    """ln(step time) of the runs that measured one."""
    times = (float(t) for row in rows if (t := row.get(STEP_TIME)) is not None)
    return [math.log(t) for t in times if math.isfinite(t) and t > 0]


def _variance(
    shapes: Sequence[Sequence[float]], runs: Mapping[str, Sequence[float]]
) -> tuple[float, float]:
    """Variance of a cell's mean ln(step time), and its degrees of freedom.

    Between cells of one shape, which holds whatever replicates share. Where no shape has two
    cells, or seeds differ more, it is that of a mean of independent seeds.
    """
    between, between_df = _pooled(shapes)
    within, within_df = _pooled([*runs.values()])
    if within_df:
        within *= float(np.mean([1 / len(values) for values in runs.values()]))
    if not (between_df or within_df):
        return 0.0, math.inf
    return max((between, float(between_df)), (within, float(within_df)))


def _pooled(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Variance within the groups, and its degrees of freedom; 0 where no group has two."""
    df = sum(len(values) - 1 for values in groups)
    rest = sum(float(np.var(values)) * len(values) for values in groups)
    return (rest / df if df else 0.0), df
