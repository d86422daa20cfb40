"""What the analysis needs to know of an outcome: its column, unit, direction and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from scaling_study.common.validation import require

NoisePrior = Callable[[float, int], float | None]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What plans and the analysis read of a task. It needs no torch.

    outcome: the column that runs are compared by.
    unit: of the outcome.
    direction: which outcome is better. The analysis minimises: declare an error or a loss.
    chance: outcome of guessing, by the number of classes; None if it has none.
    worst_learned: outcome above which a run has learned nothing, by the number of classes;
        None if there is no such limit.
    noise_prior: SD of an outcome between seeds by a formula, from the outcome and the number
        of evaluation images; None if nothing is known. The analysis multiplies it by a factor
        that repeated trainings have measured.
    """

    outcome: str
    unit: str
    direction: Literal["lower", "higher"]
    chance: Callable[[int], float | None]
    worst_learned: Callable[[int], float | None]
    noise_prior: NoisePrior

    def __post_init__(self) -> None:
        accepted = "outcomes are minimised; declare 1 - accuracy or a loss, and lower"
        require(self.direction == "lower", "task.direction", self.direction, accepted)

    def minimised(self, row: Mapping[str, object]) -> object:
        """What the analysis minimises of a row of results, None where the row has no outcome."""
        return row[self.outcome]
