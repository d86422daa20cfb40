"""A teacher's predictions of the images of a pool, in whole batches."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scaling_study.common import stop_request
from scaling_study.common.device import device_name
from scaling_study.config.evaluation import labelling_flops, outputs
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import pool_for
from scaling_study.data import load_pool
from scaling_study.models.modules import module_for
from scaling_study.training import first_weights
from scaling_study.training.evaluate import forward_of, in_parts
from scaling_study.training.input_pipeline.batches import TrainingData

# How sure a teacher is of an image that it could not see.
UNSEEN = -1.0


@dataclass(frozen=True)
class PseudoLabels:
    """Of each image of a pool the most probable class and its probability, both (n,).

    Of an image that cannot be decoded the probability is UNSEEN.
    """

    labels: NDArray[np.int64]
    confidence: NDArray[np.float32]

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.labels.tobytes() + self.confidence.tobytes()).hexdigest()


class Labeller:
    """A teacher that predicts the pool of `run`, on the device of `run`."""

    def __init__(self, run: RunConfig, teacher: RunConfig, execution: ExecutionConfig) -> None:
        # Where it was trained need not be there.
        recipe = replace(teacher.train, compile=False)
        self.run, self.teacher = run, replace(teacher, device=run.device, train=recipe)
        self._execution = execution
        self.pool = load_pool(pool_for(run, teacher), Path(execution.cache_dir))
        self.facts = {
            "flops": labelling_flops(run, teacher),
            "device": device_name(run.device),
        }

    @cached_property
    def _module(self) -> nn.Module:
        assert self.run.teacher is not None
        teacher, name = self.teacher, f"teacher=run:{self.run.teacher.run}"
        results_dir = Path(self._execution.results_dir)
        weights = first_weights.averaged(self.run.teacher, name, results_dir)
        module = module_for(teacher.model, outputs(teacher), teacher.data.resolution)
        module.load_state_dict(weights)
        module.to(teacher.device, memory_format=self._layout)  # type: ignore[call-overload]
        return module.eval()

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self.teacher.train.channels_last else torch.contiguous_format

    @torch.inference_mode()
    def predicted(self, places: range) -> PseudoLabels:
        """Its predictions of the images at these places of the pool."""
        # Numbers stand in for labels: an image that cannot be decoded is in no batch.
        pool = self.pool.labelled(np.arange(len(self.pool.labels)))
        chosen = np.arange(places.start, places.stop)
        labels = np.zeros(len(chosen), np.int64)
        confidence = np.full(len(chosen), UNSEEN, np.float32)
        # Which of them are corrupt is no fact of the run that happens to label them.
        with tempfile.TemporaryDirectory(prefix="pool-") as scratch:
            data = TrainingData.of(self.teacher, self._execution, Path(scratch))
            forward, parts = forward_of(self._module, data, self._layout, self.teacher), 1
            for pixels, seen in data.clean(pool, chosen):
                if (reason := stop_request.requested()) is not None:
                    raise stop_request.Stopped(reason)
                images = pixels.to(self.run.device, non_blocking=True)
                logits, parts = in_parts(forward, images, parts)
                highest, classes = logits.softmax(1).max(1)
                at = seen.numpy() - places.start
                labels[at] = classes.cpu().numpy()
                confidence[at] = highest.cpu().numpy()
        return PseudoLabels(labels, confidence)
