"""A planned study: its pilot, cells with assumed errors and noise, and which of them suffice."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from analysis.rules.evidence import Evidence
from analysis.rules.planned_noise import PlannedNoise
from analysis.rules.rule import Rule
from analysis.study.arms import DEPTH_WIDTH, DeclaredBase
from analysis.study.cells import Cell, lr_factor
from analysis.study.errors import PreconditionError
from analysis.study.measure import FRACTION, description_of
from analysis.study.noise import Noise
from analysis.study.noise_prior import NoisePrior, published_prior
from analysis.study.step_times import STEP_TIME
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError
from scaling_study.common.validation import is_number, suggest
from scaling_study.tasks.base import Description
from scaling_study.tasks.classification import prior_sd

# (outcome that is minimised, its seed SD), by epochs: error rates as fractions unless a study
# declares another outcome; an SD of None is unknown.
Planning = Mapping[int, tuple[float, float | None]]
TYPICAL_PILOT = 0.4, None
# What a learning rate of half or twice the best one is assumed to cost in ln(error).
TYPICAL_LOSS = 0.03
UNKNOWN = "unknown"
# The cost by which cells of a plan are ordered: known without measuring.
COST = "flops"
# The column of a plan that forecasts the step time.
FORECAST = f"forecast_{STEP_TIME}"


def planning_of(grid: Mapping[str, Any]) -> Planning:
    """What a pilot measured: a grid's `planning: {EPOCHS: {error: …, seed_sd: …}}`.

    `error` is the outcome that the grid declares, an error rate by default.

    Raises:
        InputError: an entry that is not a pair of fractions, or of numbers of another outcome.
    """
    outcome = description_of(grid)
    declared = grid.get("planning") or {}
    if not isinstance(declared, Mapping) or not all(
        isinstance(pilot, Mapping) for pilot in declared.values()
    ):
        raise InputError(
            f"grid.planning={declared!r}: must be {{EPOCHS: {{error: 0.4, seed_sd: 0.01}}}}"
        )
    return dict(_pilot(key, pilot, outcome) for key, pilot in declared.items())


def _pilot(
    key: Any, pilot: Mapping[Any, Any], outcome: Description
) -> tuple[int, tuple[float, float]]:
    where, names = f"grid.planning.{key}", ("error", "seed_sd")
    accepted = "planning must be {EPOCHS: {error: 0.4, seed_sd: 0.01}}"
    try:
        epochs = int(str(key))
    except ValueError:
        raise InputError(f"{where}: must be a number of epochs") from None
    for name in pilot:
        if name not in names:
            near = suggest(str(name), names)
            raise InputError(f"{where}.{name}: no such setting{near}; {accepted}")
    for name in names:
        value = pilot.get(name)
        if outcome.unit == FRACTION and (not isinstance(value, float) or not 0 < value < 1):
            raise InputError(f"{where}.{name}={value!r}: must be a fraction; {accepted}")
        if not is_number(value) or (name == "seed_sd" and value <= 0):
            raise InputError(f"{where}.{name}={value!r}: must be a number; {accepted}")
    known = {"run_id": where, outcome.outcome: float(pilot["error"])}
    minimised = outcome.minimised(known)
    assert isinstance(minimised, float)
    return epochs, (minimised, float(pilot["seed_sd"]))


class AssumedNoise(NamedTuple):
    """What is assumed of a regime before it is trained: outcome and seed SD, in the same unit.

    `spread` is the SD of ln(SD) and `source` the origin of the SD. Where one seed per cell will
    measure no noise, `df` are the degrees of freedom that the SD is worth, and `spread` is 0. With
    the source `unknown` nothing says how runs scatter, and the numbers only stand in.
    """

    error: float
    sd: float
    source: str
    spread: float = 0.0
    df: float = math.inf


@dataclass(frozen=True)
class PlannedStudy(Evidence):
    """Planned cells under the rules; `planning` has their assumed errors and noise.

    What it lacks `prior` says, else the published prior.
    """

    planning: Planning
    prior: NoisePrior | None = None

    def assumed(self, epochs: int) -> AssumedNoise:
        """The assumed error and seed SD in one regime."""
        error, measured = self.planning.get(epochs, TYPICAL_PILOT)
        declared, regime = self.prereg.seed_sd, self.cells.regime(epochs)
        single = all(c.n == 1 for c in regime)
        measure, n_val = regime.measure, regime[0].n_val
        known = epochs in self.planning or not measure.log or measure.noise_prior is prior_sd
        if (
            isinstance(declared, float)
            and (single or measure.noise_prior is not prior_sd)
            and known
        ):
            return AssumedNoise(error, declared, "declared")
        if measured is not None:
            return AssumedNoise(error, measured, "pilot")
        if n_val is None or measure.noise_prior is not prior_sd:
            return AssumedNoise(error, error, UNKNOWN)
        factor = (self.prior or published_prior()).factor(regime[0].data, regime[0].images_seen)
        formula, source = prior_sd(error, n_val), f"prior, {factor.source}"
        if single:
            return AssumedNoise(error, factor.scale * formula, source, df=factor.df)
        return AssumedNoise(error, factor.median * formula, source, factor.log_sd)

    def noise(self, epochs: int) -> Noise:
        """The noise that the regime's seeds will measure, with the assumed SD."""
        noise, assumed = super().noise(epochs), self.assumed(epochs)
        variance = assumed.sd**2
        return PlannedNoise(
            noise.kind,
            variances=dict.fromkeys(noise.variances, variance),
            dfs=noise.dfs if noise.replicates else dict.fromkeys(noise.dfs, assumed.df),
            text=noise.text,
            replicates={key: (variance, df) for key, (_, df) in noise.replicates.items()},
        )

    def cost(self, rule: Rule) -> str:
        """The rule's cost if it is known without measuring, else FLOPs, or what is known."""
        return self.cells.known_cost(rule.cost)


def planned_cells(
    rows: Sequence[Mapping[str, Any]],
    planning: Planning,
    declared_base: DeclaredBase,
    arms: tuple[str, str] = DEPTH_WIDTH,
) -> StudyCells:
    """Cells with as many equal errors as there are planned seeds; other learning rates err more."""
    planned = ({**row, "val_error": _error(row, planning)} for row in rows)
    return StudyCells.of(planned, declared_base, arms)


def at_forecast_costs(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Planned rows with the forecast step time (s), where there is one, as if it were measured."""
    return [{**row, STEP_TIME: row.get(STEP_TIME) or row.get(FORECAST)} for row in rows]


def _error(row: Mapping[str, Any], planning: Planning) -> float:
    error, _ = planning.get(int(row["epochs"]), TYPICAL_PILOT)
    return error * math.exp(TYPICAL_LOSS * math.log2(lr_factor(row)) ** 2)


def ids_of(cells: Iterable[Cell]) -> frozenset[str]:
    """The config ids of cells."""
    return frozenset(cell.config_id for cell in cells)


def planned_cost(cell: Cell) -> float:
    """FLOPs of one forward pass; 0 where they are not known."""
    return cell.cost(COST) or 0.0


def least_sufficient(values: Sequence[float], check: Callable[[float], object]) -> float | None:
    """The least of ascending values for which `check` raises no PreconditionError; None if none.

    By bisection: what suffices still does with more.
    """

    def passes(value: float) -> bool:
        try:
            check(value)
        except PreconditionError:
            return False
        return True

    at = bisect_left(values, True, key=passes)
    return values[at] if at < len(values) else None
