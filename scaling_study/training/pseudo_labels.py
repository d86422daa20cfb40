"""RUN/pseudo_labels-POOL.npz of a teacher: the labels that it gives a pool of images, made once.

They are of all images of the pool with how sure the teacher is of each, so that runs of different
thresholds share them. The first run that needs them makes them, while others wait for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scaling_study.common import stop_request
from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.common.ranks import ALONE, World
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import file_of, pool_key
from scaling_study.data import load_pool
from scaling_study.data.splits import Split
from scaling_study.data.storage.array_cache import one_at_a_time
from scaling_study.training import teachers
from scaling_study.training.distributed import agree, from_rank_0, total
from scaling_study.training.input_pipeline.batches import EVALUATION_BATCH
from scaling_study.training.labeller import UNSEEN, Labeller, PseudoLabels

# Of a pool of more images each piece of so many is kept, and is not made again after an
# interruption. Whole batches, so that an image is in the same batch whoever makes its piece.
PIECE = 400 * EVALUATION_BATCH
# How often runs that wait for another's labels look around.
LOOK_S = 10.0


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

    All processes of `world` call it and label if nobody has; before one writes it calls `fence`,
    which raises if it may not. InputError as `teachers.check` has, or if no image is left. Stopped
    if that was asked for while it labels: whole pieces are kept then.
    """
    if run.teacher is None:
        return None
    results_dir = Path(execution.results_dir)
    teacher = teachers.read(run, results_dir)
    teachers.check_fits(run, teacher)
    found = _labels(run, teacher, execution, world, fence)
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
    world: World,
    fence: Callable[[], None],
) -> PseudoLabels:
    """The teacher's labels from their file, or made by all processes and written there."""
    path, first = file_of(run, teacher, Path(execution.results_dir)), world.rank == 0
    about: dict[str, Any] = {"teacher": teacher.run_id, "pool": pool_key(run, teacher)}

    def agreed(answer: bool) -> bool:
        return answer if world.size == 1 else bool(from_rank_0(answer, run.device))

    def missing() -> bool:
        # The file is replaced whole: to read it needs no lock.
        return agreed(first and read(path, about) is None)

    while missing():
        # Another run may label for days. Who waits for that hears of it before a collective
        # operation gives up, and can be stopped.
        with one_at_a_time(path, LOOK_S) if first else nullcontext(True) as turn:
            if agreed(turn) and missing():
                _make(path, about, Labeller(run, teacher, execution), world, fence)
        _, reason = agree(torch.zeros((), device=run.device), stop_request.requested(), world)
        if reason is not None:
            raise stop_request.Stopped(reason)
    if (found := read(path, about)) is not None:
        return found
    # What another machine has written may take a while to be seen on this one.
    return _labels(run, teacher, execution, ALONE, fence)


def _make(
    path: Path,
    about: dict[str, Any],
    labeller: Labeller,
    world: World,
    fence: Callable[[], None],
) -> None:
    """Write the labels at `path`. Each process makes and keeps a share of the pieces of a large
    pool, those that no attempt before has made; rank 0 puts them together.
    """
    images = len(labeller.pool.labels)
    starts = range(0, images, PIECE)
    if world.rank == 0:
        run_id = labeller.teacher.run_id
        if path.exists():
            print(f"{path.name} of {run_id} is damaged: labelling again", flush=True)
        print(f"{run_id} labels {images} images of the pool", flush=True)

    def piece(start: int) -> PseudoLabels:
        if len(starts) == 1:
            return labeller.predicted(range(images))
        file = _piece(path, start)
        if (found := read(file, about)) is None:
            found = labeller.predicted(range(start, min(start + PIECE, images)))
            _write(file, found, about, fence)
        return found

    if world.size > 1 and len(starts) > 1:
        for nth in range(world.rank, len(starts) + world.rank, world.size):
            if nth < len(starts):
                piece(starts[nth])
            # Nobody waits longer than a piece takes.
            total(torch.zeros(1, device=labeller.run.device), world)
    if world.rank == 0:
        pieces = [piece(start) for start in starts]
        labels, confidence = (
            np.concatenate(arrays)
            for arrays in zip(*((p.labels, p.confidence) for p in pieces), strict=True)
        )
        _write(path, PseudoLabels(labels, confidence), about | labeller.facts, fence)
        for start in starts:
            _piece(path, start).unlink(missing_ok=True)
    if world.size > 1:
        from_rank_0(1.0, labeller.run.device)  # the others wait for the file


def _piece(path: Path, start: int) -> Path:
    return path.with_suffix(f".{start}.npz")


def _write(
    path: Path, found: PseudoLabels, about: dict[str, Any], fence: Callable[[], None]
) -> None:
    fence()
    text = json.dumps(about | {"digest": found.digest})
    with replacing(path) as file:
        arrays: dict[str, Any] = {**vars(found), "about": np.array(text)}
        np.savez(file, **arrays)


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
