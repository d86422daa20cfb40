"""Processes and threads that load batches."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.file_batches import data_of
from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import cpu_slots
from scaling_study.training.input_pipeline import loader
from scaling_study.training.input_pipeline.loader import LEAST_PART, parts_of, stream
from scaling_study.training.input_pipeline.make_batch import BatchSpec, LoadedBatch


def parent_of_worker(task: BatchSpec) -> Any:
    return LoadedBatch(torch.tensor(os.getppid()), torch.tensor(0), [])


class AsksParents(Job):
    """A run that notes its own pid, and the parent of its loader's worker."""

    def __call__(self) -> Outcome:
        tasks = iter([BatchSpec(0, 0, np.arange(1))])
        ((parent, *_),) = stream(parent_of_worker, tasks, 1, cuda=False)
        note = self.store.run_dir(self.run.run_id) / "note"
        note.write_text(f"{int(parent)} {os.getpid()}", encoding="utf-8")
        self.write_failure("no training", "error")
        return self.outcome()


@pytest.mark.slow
def test_workers_are_children_of_the_run_in_a_local_pool_too(execution: ExecutionConfig) -> None:
    # Children end with their parent; those of the pool's server would stay when a run is killed.
    job = AsksParents(tiny(), execution)
    (outcome,) = pool.launch([job], cpu_slots(1))
    assert outcome.error == "no training"
    parent, run = (job.store.run_dir(outcome.run_id) / "note").read_text().split()
    assert parent == run


def test_images_in_memory_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "DataLoader", None)
    data = data_of(tiny(), tmp_path, workers=4)
    assert len(list(data.batches(0, 2))) == 2


def test_a_thread_gives_batches_in_order_its_error_and_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    tasks = [BatchSpec(step, 0, np.arange(2)) for step in range(20)]

    def make(task: BatchSpec) -> Any:
        if task.step == 15:
            raise ValueError("no more")
        return LoadedBatch(torch.tensor([task.step]), torch.tensor([0]), [])

    ready = stream(make, iter(tasks), None, cuda=True)
    assert [int(next(ready)[0]) for _ in range(15)] == list(range(15))
    with pytest.raises(ValueError, match="no more"):
        next(ready)
    left = stream(make, iter(tasks), None, cuda=True)
    next(left)
    left.close()  # type: ignore[attr-defined]  # must not wait for tasks that nobody wants
    assert len(list(stream(make, iter(tasks[:3]), None, cuda=True))) == 3


def slow_part(task: BatchSpec) -> Any:
    """Images that take 20 ms each, and say by whom they were made."""
    n = len(task.chosen)
    time.sleep(0.02 * n)
    pixels = torch.from_numpy(task.chosen).to(torch.uint8)[:, None, None, None]
    makers = torch.full((n,), os.getpid())
    return LoadedBatch(pixels.expand(n, 3, 2, 2), makers, [(str(task.low), "")])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # of fewer cores
def test_workers_share_a_batch_so_that_the_first_comes_early() -> None:
    specs = [BatchSpec(step, 0, np.arange(128) + step) for step in range(3)]
    batches = stream(slow_part, iter(specs), 4, cuda=False)
    pixels, makers, corrupt, _, core_s = next(batches)
    assert pixels[:, 0, 0, 0].tolist() == list(range(128))
    assert len(set(makers.tolist())) == 4
    assert 0 < core_s < 0.02 * 128  # what the workers waited is no work
    assert [place for place, _ in corrupt] == ["0", "32", "64", "96"]
    assert [int(p[0, 0, 0, 0]) for p, *_ in batches] == [1, 2]


def test_parts_are_the_batch_in_order_and_none_is_tiny() -> None:
    for n in (1, 15, 16, 17, 250, 4096):
        for workers in (0, 1, 3, 16):
            parts = parts_of(BatchSpec(7, 100, np.arange(n), side=24, epoch=3), workers)
            assert np.concatenate([part.chosen for part in parts]).tolist() == list(range(n))
            assert all(part.low == 100 + part.chosen[0] for part in parts)
            assert {(part.step, part.side, part.epoch) for part in parts} == {(7, 24, 3)}
            assert len(parts) <= max(1, workers)
            assert all(len(part.chosen) >= LEAST_PART for part in parts[:-1])
