"""What a step minimises: the loss of a network's outputs, about classes or about mixed labels."""

from torch import Tensor, nn
from torch.nn.functional import interpolate

from scaling_study.config.run import RunConfig
from scaling_study.tasks import task_of
from scaling_study.training.mixing import mixed
from scaling_study.training.numerics import autocast
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
        seed = seed_of(self._run.random_key, "mix", step)
        return mixed(images, labels, self._outputs, recipe, seed)

    def largest(self, images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """`targets`, of images as large as those of the last stage, which need most memory."""
        images, targets = self.targets(images, labels, step)
        side = self._run.data.resolution
        return (images if images.shape[-1] == side else interpolate(images, side)), targets

    def loss_of(self, network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the network's outputs, in the run's precision."""
        recipe = self._run.train
        with autocast(self._run):
            outputs = network(images)
            if recipe.soft_labels:
                return self._task.soft_losses[recipe.loss](outputs, targets)
            return self._task.loss(outputs, targets, recipe.label_smoothing)
