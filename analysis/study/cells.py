"""Cells: runs that share everything but the seed, and what they measured."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from analysis.study.columns import COSTS
from analysis.study.compared_settings import Settings
from analysis.study.errors import PreconditionError
from analysis.study.measure import ERROR, Measure
from analysis.study.step_times import STEP_TIME, StepTime, step_times
from scaling_study.study.axes import CELL_AXES, Axis, display_name
from scaling_study.study.image_outcomes import ImageOutcomes


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One configuration and what its seeds measured: outcomes, and costs by column name.

    `errors` are what is minimised, as `measure` says: error rates (fractions) by default.

    `settings` are the config keys, other than the axes, that the grid varies on purpose; `own` are
    those keys as axes, the learning rate among them if the grid varies it. `solved` is the axis
    that was solved for the cost `target`, where one was. `step_time` is that of its network in all
    regimes, where runs of several were grouped. `lr` is the recipe's learning rate; runs had
    `trained_lr`, which a transfer rule may have made from it, and which is `lr_factor` times that
    of the same cell otherwise. `data`, `family` and `images_seen` (training images times epochs)
    are None where a table does not say. `log_ses` are standard errors of ln(cost) of costs other
    than step time, where known. Cells of one `trunk` differ in the length alone, and their runs of
    equal seed are the same until a decay begins. `seeds` are the replicates of `errors`; `images`
    say which evaluation images each gets right, where the rules ask for that.
    """

    config_id: str
    depth: float
    width: float
    resolution: int
    epochs: int
    lr: float = 0.0
    trained_lr: float = 0.0
    lr_factor: float = 1.0
    variant: str | None = None
    settings: Settings = ()
    own: tuple[Axis, ...] = ()
    solved: str | None = None
    target: str | None = None
    errors: tuple[float, ...]
    train_errors: tuple[float, ...] = ()
    costs: Mapping[str, tuple[float, ...]]
    step_time: StepTime | None = None
    log_ses: Mapping[str, float] = field(default_factory=dict)
    n_val: int | None
    data: str | None = None
    family: str | None = None
    images_seen: float | None = None
    measure: Measure = ERROR
    trunk: str | None = None
    seeds: tuple[int, ...] = ()
    images: tuple[ImageOutcomes | None, ...] = field(default=(), compare=False, repr=False)

    def value(self, axis: str) -> float:
        """Its setting on an axis: depth, width, resolution (px), epochs or lr (0 if unknown).

        Or on one that only its grid has, whose values must be numbers.

        Raises:
            PreconditionError: they are none.
        """
        if hasattr(self, axis):
            return float(getattr(self, axis))
        try:
            return float(self.own_values[axis])
        except (KeyError, ValueError):
            raise PreconditionError(f"{axis} has no number in {self.name}") from None

    @property
    def own_values(self) -> dict[str, str | float]:
        """Its values on the axes that only its grid has, by config key or as `lr`."""
        known: dict[str, str | float] = {"lr": self.lr, **dict(self.settings)}
        return {axis.name: known[axis.name] for axis in self.own if axis.name in known}

    @property
    def name(self) -> str:
        """A readable name that tells it apart within its study: d26-w0.5-r32-e10-bs128."""
        values = {axis.name: getattr(self, axis.name) for axis in CELL_AXES}
        return display_name(values | self.own_values, self.own)

    @property
    def n(self) -> int:
        return len(self.errors)

    @property
    def comparison_group(self) -> tuple[str, Settings]:
        """What keeps it from being compared along an axis: its variant and its other settings."""
        return self.variant or "", self.settings

    @cached_property
    def error(self) -> float:
        return float(np.mean(self.errors))

    @property
    def scaled(self) -> float:
        """The mean on the scale on which outcomes are compared: its logarithm, or itself."""
        return self.measure.scaled(self.error)

    @property
    def slope(self) -> float:
        """The derivative of `scaled` by the mean."""
        return self.measure.slope(self.error)

    @cached_property
    def variance(self) -> float:
        """Sample variance between seeds; NaN with one seed."""
        return float(np.var(self.errors, ddof=1)) if self.n > 1 else math.nan

    def cost(self, axis: str) -> float | None:
        """Geometric mean over the seeds that measured it; None if none did.

        Of step time it is that of the network in all regimes, or measured exclusively.
        """
        if axis == STEP_TIME and self.step_time is not None:
            return self.step_time.seconds
        return self._costs.get(axis)

    def cost_log_se(self, axis: str) -> float:
        """Standard error of ln(cost): of what was timed; 0 where nothing says."""
        if axis == STEP_TIME and self.step_time is not None:
            return self.step_time.log_se
        return self.log_ses.get(axis, 0.0)

    @cached_property
    def _costs(self) -> Mapping[str, float]:
        """The geometric mean of each cost that was measured."""
        return {
            axis: math.exp(float(np.mean(np.log(values))))
            for axis, values in self.costs.items()
            if values
        }


def _measured(rows: Sequence[Mapping[str, Any]], column: str) -> tuple[float, ...]:
    values = (row.get(column) for row in rows)
    return tuple(float(v) for v in values if v is not None and math.isfinite(v))


def _measure(row: Mapping[str, Any]) -> Measure:
    measure: Measure = row.get("measure", ERROR)
    return measure


def _target(row: Mapping[str, Any]) -> str | None:
    target = row.get("solve_target")
    return f"{row['solve_for']} {float(target):g}" if target else None


def lr_factor(row: Mapping[str, Any]) -> float:
    """By how much a run's learning rate differs from its arm's own; 1 but for tuning runs."""
    return float(row.get("lr_factor") or 1.0)


def _rates(row: Mapping[str, Any]) -> dict[str, Any]:
    rate = float(row.get("lr") or 0.0)
    return {
        "lr": float(row.get("lr_recipe") or rate),
        "trained_lr": rate,
        "lr_factor": lr_factor(row),
    }


def _images_seen(row: Mapping[str, Any]) -> float | None:
    images = row.get("n_train")
    return float(images) * float(row["epochs"]) if images else None


def cells_of(rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """Group finished runs by `config_id`; rows need a finite `val_error`.

    The result is ordered by epochs, resolution, depth and width, whatever the order of the rows.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: int(row["seed"])):
        groups.setdefault(str(row["config_id"]), []).append(row)
    times = step_times(groups)
    cells = [
        Cell(
            config_id=config_id,
            **{axis.name: axis.kind(group[0][axis.name]) for axis in CELL_AXES},
            **_rates(group[0]),
            variant=group[0].get("variant") or None,
            settings=group[0].get("settings", ()),
            own=group[0].get("own", ()),
            solved=group[0].get("solved") or None,
            target=_target(group[0]),
            errors=tuple(float(row["val_error"]) for row in group),
            train_errors=_measured(group, "train_error") if _measure(group[0]).training else (),
            costs={cost.name: _measured(group, cost.name) for cost in COSTS},
            step_time=times.get(config_id),
            log_ses=group[0].get("log_ses", {}),
            n_val=None if group[0].get("n_val") is None else int(group[0]["n_val"]),
            data=group[0].get("data"),
            family=group[0].get("family"),
            images_seen=_images_seen(group[0]),
            trunk=group[0].get("trunk") or None,
            seeds=tuple(int(row["seed"]) for row in group),
            images=tuple(row.get("images") for row in group),
            measure=_measure(group[0]),
        )
        for config_id, group in groups.items()
    ]
    return sorted(cells, key=lambda c: (c.epochs, c.resolution, c.depth, c.width, c.config_id))
