"""Evaluations while a run trains: its learning curve, and whether early stopping ends the run."""

import copy
import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor, nn

from scaling_study.common.ranks import World
from scaling_study.config.evaluation import evaluation_plan
from scaling_study.config.run import RunConfig
from scaling_study.study.learning_curves import PREFIX, RAW
from scaling_study.tasks import task_of
from scaling_study.training.distributed import copy_from_rank_0
from scaling_study.training.ema import Ema
from scaling_study.training.evaluate import evaluate
from scaling_study.training.input_pipeline.batches import TrainingData


class LearningCurve:
    """Scores of raw and averaged weights at the epochs of the run's `evaluation_plan`.

    Weights are scored in a copy of the network, so that nothing of the training changes: no
    statistics of batch norm, and no gradient. `outcomes` are the task's outcome at each evaluation
    so far, of averaged weights where there are any; a checkpoint keeps them, and what early
    stopping does follows from them alone.
    """

    def __init__(
        self,
        run: RunConfig,
        module: nn.Module,
        ema: Ema,
        data: TrainingData,
        layout: torch.memory_format,
        world: World,
    ) -> None:
        self._run, self._module, self._ema = run, module, ema
        self._data, self._layout, self._world = data, layout, world
        self._plan = evaluation_plan(run, data.info)
        self._task = task_of(run.task)
        self.outcomes: list[float] = []

    @property
    def stopped(self) -> bool:
        """Whether the last `early_stopping` evaluations had no new least outcome; NaN is none."""
        patience = self._run.train.early_stopping
        if not patience:
            return False
        best, since = math.inf, 0
        for outcome in self.outcomes:
            best, since = (outcome, 0) if outcome < best else (best, since + 1)
        return since >= patience

    @cached_property
    def _scored(self) -> nn.Module:
        return copy.deepcopy(self._module)

    def at(self, epoch: int) -> dict[str, float]:
        """The curve's columns at the end of 1-based `epoch`; none where no evaluation is planned.

        All processes call it. What is not finite is left out.
        """
        if epoch not in self._plan.epochs:
            return {}
        found = self._columns(self._ema.state_dict(), "")
        self.outcomes.append(found[PREFIX + self._task.outcome])
        if self._run.train.ema_decay:
            found |= self._columns(self._module.state_dict(), RAW)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _columns(self, state: Mapping[str, Tensor], suffix: str) -> dict[str, float]:
        self._scored.load_state_dict(state)
        # Without sync batch norm every rank has its own running statistics; those of rank 0 count.
        copy_from_rank_0(self._scored.state_dict().values(), self._world)
        how = self._data, self._layout, self._run, self._world
        plan = self._plan
        means = {
            split: evaluate(self._scored, split, *how, most=most)[0]
            for split, most in (("val", plan.val), ("train", plan.train))
        }
        return {f"{PREFIX}{k}{suffix}": v for k, v in self._task.report(means).items()}
