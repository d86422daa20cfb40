"""From a point of a grid to a checked run, and what one run costs."""

from collections.abc import Callable, Mapping
from typing import Any

from scaling_study.common.device import best_precision
from scaling_study.common.errors import InputError
from scaling_study.config.keys import RUN_KEYS
from scaling_study.config.run import RunConfig, run_config
from scaling_study.config.scale_dependent import GROUPS
from scaling_study.cost.closed_form import describe, forward, run_cost, train_flops
from scaling_study.cost.device_times import MEASURED, Times
from scaling_study.cost.program_cost import program_costs
from scaling_study.cost.step_law import Shape
from scaling_study.data import data_info
from scaling_study.grid.schema import VARIANT, Point

# What decides which other settings there are.
KINDS = frozenset({"model.family", "data.name"})


def run_at(
    settings: Mapping[str, Any], point: Point, fits: Callable[[RunConfig], object] = run_cost
) -> RunConfig:
    """The checked run at one point; `fits` raises InputError for what cannot be built.

    InputError for a value that a run cannot have; the message names the point.
    """
    try:
        run = run_config(with_point(settings, point))
        fits(run)
    except InputError as error:
        where = ", ".join(f"{key}={value}" for key, value in point.items())
        why = f"{error}" + (f" (in the run with {where})" if where else "")
        for key in KINDS & point.keys():
            why += f"; another {key} may have other settings, and then takes a grid of its own"
        raise InputError(why) from None
    return run


def with_point(settings: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The settings with a point's values; what the point does not touch is shared, not copied.

    The files that its block or parent chooses are in the settings already.
    """
    values = {key: settings[key] for key in RUN_KEYS}
    copied: dict[str, dict[str, Any]] = {"": values}
    for key, value in point.items():
        if key == VARIANT or key in GROUPS:
            continue
        group, (*path, name) = values, key.split(".")
        for depth, part in enumerate(path, 1):
            prefix = ".".join(path[:depth])
            if prefix not in copied:
                group[part] = copied[prefix] = dict(group[part])
            group = copied[prefix]
        group[name] = value
    if values["precision"] == "auto":
        values["precision"] = best_precision(values["device"])
    return values


def cost_of(name: str, run: RunConfig, times: Times | None) -> float | None:
    """One of `COSTS` of a run; None for a time that nothing is known about."""
    if name in MEASURED:
        if times is None or run.program is not None:
            return None
        if name == "step_time_s":
            time = times.forecast(run).step_time(step_shape(run))
        elif (time := times.whole(run, describe(run))) and name == "gpu_hours":
            time = times.gpu_hours(run, time)
        return time.value if time else None
    if run.program is not None:
        return _of_program(name, run)
    if name in ("params", "flops", "activations"):  # without the memory, which takes longer
        return _counted(name, getattr(forward(run), name), run)
    if name == "train_flops":
        return _counted(name, train_flops(run), run)
    if name == "lr":
        return run.train.lr
    costs = data_info(run.data) if name in ("n_train", "n_val") else run_cost(run)
    return _counted(name, getattr(costs, name), run)


def flops_of(run: RunConfig) -> float:
    """Forward FLOPs of an image; InputError if they cannot be counted."""
    return _counted("flops", forward(run).flops, run)


def _counted(name: str, value: float | None, run: RunConfig) -> float:
    """A cost that is known; InputError for one that the network has not, or torch cannot count."""
    if value is None:
        why = forward(run).missing or "its networks have none"
        raise InputError(f"{name}: blank for model.family={run.model.family}, because {why}")
    return float(value)


def _of_program(name: str, run: RunConfig) -> float:
    """A cost of a program's run, which its formulas or its description give."""
    costs = program_costs(run)
    if name not in costs:
        known = ", ".join(costs) or "none"
        raise InputError(f"{name}: no known cost of this program ({known}); give task.costs.{name}")
    return costs[name]


def step_shape(run: RunConfig) -> Shape:
    """What the time of a run's step depends on."""
    cost = forward(run)
    return cost.flops, cost.activations, run.train.batch_size
