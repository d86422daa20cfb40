"""The interface of a task: the outcome of a run, and how a network is trained and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from scaling_study.common.validation import require

if TYPE_CHECKING:
    from torch import Tensor

NoisePrior = Callable[[float, int], float | None]
# How outcomes are compared: as ratios, by ln(outcome), or by raw differences.
Scale = Literal["log", "difference"]
LOG: Scale = "log"
DIFFERENCE: Scale = "difference"


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
    name: what people call the outcome; without it: as its column, without `val_`.
    scale: whether outcomes are compared by ln(outcome) or by raw differences.
    """

    outcome: str
    unit: str
    direction: Literal["lower", "higher"]
    chance: Callable[[int], float | None]
    worst_learned: Callable[[int], float | None]
    noise_prior: NoisePrior
    name: str = ""
    scale: Scale = LOG

    def __post_init__(self) -> None:
        accepted = "outcomes are minimised; declare 1 - accuracy or a loss, and lower"
        require(self.direction == "lower", "task.direction", self.direction, accepted)
        accepted = "must be log or difference"
        require(self.scale in (LOG, DIFFERENCE), "outcome.scale", self.scale, accepted)

    @property
    def noun(self) -> str:
        """What sentences call the outcome."""
        return self.name or self.outcome.removeprefix("val_").replace("_", " ")

    @property
    def compared(self) -> str:
        """What sentences call the value that is minimised."""
        return self.noun

    @property
    def fitted(self) -> bool:
        """Whether the best possible outcome is estimated from the runs."""
        return False

    def minimised(self, row: Mapping[str, object]) -> object:
        """What the analysis minimises of a row of results, None where the row has no outcome."""
        return row[self.outcome]


@dataclass(frozen=True, kw_only=True)
class Task(Description):
    """A task's TASK: what a module declares to become a task.

    Planning and analysis read the description, which needs no torch. `loss` and `metrics` import
    torch when they are called, and only a process that trains calls them.

    Beside the `Description`:
        columns: result columns that the task fills (of `study.result.Result`), each with the split
            (val or train) and the metric that it is the mean of.
        outputs: outputs of the network's head for an image, by the number of classes.

    Training, with the head's outputs (n, outputs) and the labels (n,) of a batch:
        loss: the mean over the images, to be minimised, with a share of label smoothing.
        metrics: of each, by its name, the sum over the images.
        soft_losses: the mean loss for labels (n, outputs) that say how much of each output is
            right, as mixup makes them: by the name of a recipe's `loss`, task or bce. A task
            without them is not trained with mixed images.
        right: of each image whether it is right, (n,); None for a task without right and wrong.

    `undecayed` and `recipes` are what a family may say too: patterns of names of parameters that
    weight decay must spare, and the recipes that suit it, where empty means all.
    """

    columns: Mapping[str, tuple[str, str]]
    outputs: Callable[[int], int]
    loss: Callable[[Tensor, Tensor, float], Tensor]
    metrics: Mapping[str, Callable[[Tensor, Tensor], Tensor]]
    soft_losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = field(default_factory=dict)
    right: Callable[[Tensor, Tensor], Tensor] | None = None
    undecayed: Sequence[str] = ()
    recipes: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        accepted = f"must be one of its columns, {', '.join(self.columns)}"
        require(self.outcome in self.columns, "task.outcome", self.outcome, accepted)

    def report(self, means: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The result columns, from the mean of each metric on each split."""
        return {column: means[split][metric] for column, (split, metric) in self.columns.items()}

    @property
    def outcome_columns(self) -> list[str]:
        """The outcome and, where there is one, the same metric of the training images."""
        metric = self.columns[self.outcome][1]
        return [column for column, (_, other) in self.columns.items() if other == metric]
