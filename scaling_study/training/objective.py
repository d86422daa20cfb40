"""What a step minimises: the loss of a network's outputs, about classes or about mixed labels."""

from collections.abc import Callable

from torch import Tensor

from scaling_study.config.run import RunConfig
from scaling_study.tasks import task_of
from scaling_study.training.mixing import mixed
from scaling_study.training.seeds import seed_of


class Objective:
    """The loss of a run, and the images and labels that it is about. `outputs`: of the network."""

    def __init__(self, run: RunConfig, outputs: int) -> None:
        self._run, self._outputs, self._task = run, outputs, task_of(run.task)

    def targets(self, images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """A step's images, mixed where the recipe says so, and what they are labelled with."""
        recipe = self._run.train
        if not recipe.soft_labels:
            return images, labels
        return mixed(images, labels, self._outputs, recipe, seed_of(self._run.run_id, "mix", step))

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """The mean loss of outputs (n, outputs) for `targets`."""
        recipe = self._run.train
        if recipe.soft_labels:
            return self._task.soft_losses[recipe.loss]
        return lambda outputs, labels: self._task.loss(outputs, labels, recipe.label_smoothing)
