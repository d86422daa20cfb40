"""What a sweep is asked to do: dry run, probes, order, measurements at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from scaling_study.common.validation import from_values, one_value, require
from scaling_study.config.keys import check_group

# What `explain` is about.
POINTS, RULES = "points", "rules"
# Of `SweepOptions`, what is no setting under `plan`.
OF_THE_SWEEP = ("dry_run", "explain", "diff")


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What a sweep does with its plan; `explain` is POINTS, RULES or empty.

    `energy`, `kg_co2_per_kwh` and `price_per_gpu_hour` ask for lines about these.
    """

    dry_run: bool
    explain: str
    diff: str | None
    out: str | None
    probe: bool
    resolve: bool
    device: str | None
    order: str
    energy: bool
    kg_co2_per_kwh: float | None
    price_per_gpu_hour: float | None

    def __post_init__(self) -> None:
        for name in ("kg_co2_per_kwh", "price_per_gpu_hour"):
            value = getattr(self, name)
            require(value is None or value >= 0, f"plan.{name}", value, "must be 0 or more")


def sweep_options_of(settings: Mapping[str, Any]) -> SweepOptions:
    """The settings `dry_run`, `explain`, `diff` and `plan`; an InputError for a wrong type."""
    known = tuple(f.name for f in fields(SweepOptions) if f.name not in OF_THE_SWEEP)
    plan = check_group(settings, "plan", known)
    values: dict[str, Any] = {**settings, **plan, "explain": _explain(settings.get("explain"))}
    for f in fields(SweepOptions):
        key = f"plan.{f.name}" if f.name in plan else f.name
        values[f.name] = one_value(f.type, values.get(f.name), key)
    return SweepOptions(**{f.name: values[f.name] for f in fields(SweepOptions)})


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Whether step times are measured `at_end`, in how many rounds, for `most_s` seconds."""

    at_end: bool
    rounds: int
    most_s: float

    def __post_init__(self) -> None:
        require(self.rounds >= 1, "measure.rounds", self.rounds, "must be 1 or more")
        require(self.most_s > 0, "measure.most_s", self.most_s, "must be above 0 seconds")


def measure_options_of(settings: Mapping[str, Any]) -> MeasureOptions:
    """The settings under `measure`; an InputError for a wrong type or a value out of bounds."""
    known = tuple(field.name for field in fields(MeasureOptions))
    return from_values(MeasureOptions, check_group(settings, "measure", known), "measure.")


def _explain(value: object) -> str:
    """What is explained; empty for nothing."""
    if isinstance(value, bool):
        return POINTS if value else ""
    require(value == RULES, "explain", value, f"must be true, for points, {RULES}, or false")
    return RULES
