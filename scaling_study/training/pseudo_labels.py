"""RUN/pseudo_labels-POOL.npz of a teacher: the labels that it gives a pool of images, made once.

They are of all images of the pool with how sure the teacher is of each, so that runs of different
thresholds share them. The first run that needs them makes them, while others wait for it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scaling_study.common import stop_request
from scaling_study.common.device import device_name
from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.common.ranks import World
from scaling_study.config.evaluation import labelling_flops, outputs
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import file_of, pool_for, pool_key
from scaling_study.data import load_pool
from scaling_study.data.splits import Split
from scaling_study.data.storage.array_cache import one_at_a_time
from scaling_study.models.modules import module_for
from scaling_study.training import first_weights, teachers
from scaling_study.training.distributed import from_rank_0
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


@dataclass(frozen=True)
class Pool:
    """Images that a run trains on with the labels of its teacher; `digest` is of these labels."""

    images: Split
    digest: str


def pool_of(
    run: RunConfig,
    execution: ExecutionConfig,
    world: World,
    fence: Callable[[], None],
) -> Pool | None:
    """The pool of `run` as its teacher labels it; None without a teacher.

    All processes of `world` call it; rank 0 labels if nobody has, after `fence`, which raises if
    this process may not write. InputError as `teachers.check` has, or if no image is left. Stopped
    if that was asked for while it labels: nothing is kept of that then.
    """
    if run.teacher is None:
        return None
    results_dir = Path(execution.results_dir)
    teacher = teachers.read(run, results_dir)
    teachers.check_fits(run, teacher)
    found = _labels(run, teacher, execution, fence) if world.rank == 0 else None
    if world.size > 1:
        from_rank_0(1.0, run.device)  # the others wait for the file
    if found is None:
        found = _labels(run, teacher, execution, fence)
    least = run.train.pseudo_threshold
    kept = np.flatnonzero((found.confidence >= least) & (found.confidence > UNSEEN))
    if not len(kept):
        highest = float(found.confidence.max())
        raise InputError(
            f"train.pseudo_threshold={least:g}: the teacher is as sure of no image of the pool; "
            f"it is at most {highest:.3g} sure"
        )
    labels = found.labels[kept]
    images = load_pool(run.data, Path(execution.cache_dir)).take(kept).labelled(labels)
    return Pool(images, hashlib.sha256(kept.tobytes() + labels.tobytes()).hexdigest())


def _labels(
    run: RunConfig,
    teacher: RunConfig,
    execution: ExecutionConfig,
    fence: Callable[[], None],
) -> PseudoLabels:
    """The teacher's labels from their file, or made and written there."""
    path = file_of(run, teacher, Path(execution.results_dir))
    about: dict[str, Any] = {"teacher": teacher.run_id, "pool": pool_key(run, teacher)}
    # The file is replaced whole: to read it needs no lock.
    if (found := read(path, about)) is not None:
        return found
    with one_at_a_time(path):
        if (found := read(path, about)) is not None:
            return found
        if path.exists():
            print(f"{path.name} of {teacher.run_id} is damaged: labelling again", flush=True)
        found = _predicted(run, teacher, execution)
        about |= {
            "digest": found.digest,
            "flops": labelling_flops(run, teacher),
            "device": device_name(run.device),
        }
        fence()
        with replacing(path) as file:
            arrays: dict[str, Any] = {**vars(found), "about": np.array(json.dumps(about))}
            np.savez(file, **arrays)
    return found


def read(path: Path, expected: dict[str, Any]) -> PseudoLabels | None:
    """The labels in a file, if it is whole and `about` what is expected; else None."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            found = PseudoLabels(arrays["labels"], arrays["confidence"])
            about = json.loads(str(arrays["about"]))
        good = expected.items() <= about.items() and about["digest"] == found.digest
    except Exception:  # damaged bytes can raise anything
        return None
    return found if good else None


@torch.inference_mode()
def _predicted(run: RunConfig, teacher: RunConfig, execution: ExecutionConfig) -> PseudoLabels:
    """The teacher's predictions of the pool of `run`, on the device of `run`."""
    assert run.teacher is not None
    # Where it was trained need not be there.
    teacher = replace(teacher, device=run.device, train=replace(teacher.train, compile=False))
    n_outputs, layout = outputs(teacher), torch.contiguous_format
    name = f"teacher=run:{run.teacher.run}"
    weights = first_weights.averaged(run.teacher, name, Path(execution.results_dir))
    module = module_for(teacher.model, n_outputs, teacher.data.resolution)
    module.load_state_dict(weights)
    if teacher.train.channels_last:
        layout = torch.channels_last
    module.to(run.device, memory_format=layout).eval()  # type: ignore[call-overload]
    pool = load_pool(pool_for(run, teacher), Path(execution.cache_dir))
    images = len(pool.labels)
    print(f"{run.teacher.run} labels {images} images of the pool", flush=True)
    # Numbers stand in for labels: an image that cannot be decoded is in no batch.
    numbers = np.arange(images)
    labels = np.zeros(images, np.int64)
    confidence = np.full(images, UNSEEN, np.float32)
    # Which of them are corrupt is no fact of the run that happens to label them.
    with tempfile.TemporaryDirectory(prefix="pool-") as scratch:
        data = TrainingData.of(teacher, execution, Path(scratch))
        forward, parts = forward_of(module, data, layout, teacher), 1
        for pixels, seen in data.clean(pool.labelled(numbers), numbers):
            if (reason := stop_request.requested()) is not None:
                raise stop_request.Stopped(reason)
            logits, parts = in_parts(forward, pixels.to(run.device, non_blocking=True), parts)
            highest, classes = logits.softmax(1).max(1)
            labels[seen.numpy()] = classes.cpu().numpy()
            confidence[seen.numpy()] = highest.cpu().numpy()
    return PseudoLabels(labels, confidence)
