"""What a study's runs are compared by, how sentences and figures say it, and on which scale."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_study.common.errors import InputError
from scaling_study.study.axes import length_of
from scaling_study.study.result import COLUMNS
from scaling_study.tasks import DEFAULT, described
from scaling_study.tasks.base import DIFFERENCE, Description, NoisePrior
from scaling_study.tasks.classification import TASK
from scaling_study.tasks.program import description, outcome_of

FRACTION = "fraction"
# Units of which differences are percentage points.
PERCENT = ("%", "percent")


@dataclass(frozen=True)
class Floor:
    """The outcome E that no run can beat, as estimated from a study's own runs.

    Its standard error has `df` degrees of freedom; `text` says what it was fitted to.
    """

    value: float
    se: float
    df: float
    text: str


@dataclass(frozen=True)
class Measure:
    """The outcome that is minimised, in words and units, and what training is counted in.

    `name` is for sentences and `label` for axes. Values times `factor` are in `unit`, differences
    of them in `difference_unit`. `better` says which outcome wins. `log` says whether outcomes are
    compared by their logarithms or by raw differences. `length` is what lengths of training are
    numbers of. `training` says whether training errors are the same measure. `floor` is what was
    taken off every outcome, where it was fitted.
    """

    name: str = "error"
    label: str = "validation error"
    unit: str = "%"
    difference_unit: str = "pp"
    factor: float = 100.0
    log: bool = True
    length: str = "epochs"
    better: str = "lower error"
    training: bool = True
    noise_prior: NoisePrior = TASK.noise_prior
    floor: Floor | None = None

    @property
    def axis(self) -> str:
        """The label of an axis of outcomes."""
        return with_unit(self.label, self.unit)

    @property
    def gap_factor(self) -> float:
        """What effects are multiplied by to be shown."""
        return 100.0 if self.log else self.factor

    @property
    def gap_unit(self) -> str:
        """The unit of effects, with a space before it; empty where the outcome has none."""
        unit = "%" if self.log else self.difference_unit
        return f" {unit}" if unit else ""

    @property
    def gap(self) -> str:
        """What effects are, in words."""
        return f"relative {self.name}" if self.log else f"difference in {self.name}"

    @property
    def gap_axis(self) -> str:
        """The label of an axis of effects."""
        return with_unit(self.gap, self.gap_unit.strip())

    @property
    def difference_axis(self) -> str:
        """The unit of differences of outcomes, in brackets; empty where there is none."""
        return with_unit("", self.difference_unit)

    def at(self, length: float) -> str:
        """A length of training in words, as in 20 epochs."""
        return f"{length:g} {self.length}" if length < 1e6 else f"{length:.4g} {self.length}"

    def scaled(self, value: float) -> float:
        """An outcome on the scale on which outcomes are compared."""
        return math.log(value) if self.log else value

    def unscaled(self, value: Any) -> Any:
        """The inverse of `scaled`; numpy arrays are accepted."""
        return np.exp(value) if self.log else value

    def slope(self, value: float) -> float:
        """The derivative of `scaled`."""
        return 1 / value if self.log else 1.0

    def shown(self, value: float, digits: int = 4) -> str:
        """An outcome with its unit."""
        return f"{self.factor * value:.{digits}g}{' ' if self.unit else ''}{self.unit}"

    def spread(self, sd: float) -> str:
        """A standard deviation of outcomes with its unit."""
        number = f"{self.factor * sd:.2f}" if self.factor == 100 else f"{sd:.3g}"
        return f"{number} {self.difference_unit}".rstrip()

    def size(self, effect: float) -> str:
        """An effect, or a margin, without a sign and without needless digits."""
        return f"{self.gap_factor * effect:g}{self.gap_unit}"

    def digits(self, half: float) -> int:
        """Digits after the point of an effect whose interval has this half width."""
        shown = self.gap_factor * half
        if self.log or not 0 < shown < math.inf:
            return 1
        return max(0, 1 - math.floor(math.log10(shown)))

    def change(self, value: float, low: float | None, high: float | None) -> str:
        """A difference of outcomes in their unit with its interval: `-1.2 pp [-2.0, -0.4]`."""
        half = math.nan if low is None or high is None else (high - low) / 2
        shown, digits = self.factor * (half if half > 0 else abs(value)), 1
        if self.factor != 100 and 0 < shown < math.inf:
            digits = max(0, 1 - math.floor(math.log10(shown)))
        text = f"{self.factor * value:+.{digits}f} {self.difference_unit}".rstrip()
        if low is None or high is None:
            return text
        return f"{text} [{self.factor * low:.{digits}f}, {self.factor * high:.{digits}f}]"

    def interval(self, estimate: float, low: float, high: float) -> str:
        """An effect and its interval, as in `+2.1 % [1.2, 3.0]`."""
        n, factor = self.digits((high - low) / 2), self.gap_factor
        ends = f"[{factor * low:.{n}f}, {factor * high:.{n}f}]"
        return f"{factor * estimate:+.{n}f}{self.gap_unit} {ends}"


ERROR = Measure()


def with_unit(text: str, unit: str) -> str:
    """A label with its unit in brackets, where there is one."""
    return f"{text} ({unit})".strip() if unit else text


def description_of(grid: Mapping[str, Any]) -> Description:
    """The outcome that a study's grid.yaml declares, else that of its task: classification.

    Raises:
        InputError: a module of the user's that cannot be found any more, or no outcome.
    """
    task = described(grid.get("task", DEFAULT))
    declared = grid.get("outcome")
    if declared is None:
        return task
    if isinstance(declared, Mapping):
        declared = {"column": task.outcome, **declared}
    found = description(outcome_of(declared, "grid.outcome"), task)
    if found.outcome not in COLUMNS:
        raise InputError(
            f"grid.outcome.column={found.outcome}: no result column; known: {', '.join(COLUMNS)}"
        )
    return found


def measure_of(grid: Mapping[str, Any]) -> Measure:
    """The measure of a study, as its grid.yaml says; raises as `description_of`."""
    outcome, length = description_of(grid), length_of(grid)
    if outcome is TASK:
        return Measure(length=length)
    fraction = outcome.unit == FRACTION
    unit = "%" if fraction or outcome.unit in PERCENT else outcome.unit
    higher = getattr(outcome, "higher", False)
    flipped = higher and outcome.scale == DIFFERENCE
    return Measure(
        name=outcome.compared,
        label=f"minus {outcome.compared}" if flipped else outcome.compared,
        better=f"{'higher' if higher else 'lower'} {outcome.noun}",
        unit=unit,
        difference_unit="pp" if unit == "%" else unit,
        factor=100.0 if fraction else 1.0,
        log=outcome.scale != DIFFERENCE,
        length=length,
        training=outcome.outcome == TASK.outcome and outcome.compared == outcome.noun,
        noise_prior=outcome.noise_prior,
    )
