"""Batches made while a step computes: by worker processes, or by a thread where there is a GPU.

Workers make parts of batches: the first batch comes after a share of its images from each of them,
and what waits for the training loop is a few batches, however many workers there are.
"""

import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from scaling_study.training.batched_images.pending import joined as all_pending
from scaling_study.training.input_pipeline.make_batch import BatchSpec, LoadedBatch

# Batches that wait ready for the training loop, or parts of batches of each worker.
AHEAD = 2
# Fewer images than this are not worth sending from a worker by themselves.
LEAST_PART = 16
# Signals by which a scheduler asks the training process for a checkpoint; workers ignore them.
PARENTS_SIGNALS = (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

Maker = Callable[[BatchSpec], LoadedBatch]


def stream(
    make: Maker, specs: Iterator[BatchSpec], workers: int | None, cuda: bool
) -> Iterator[LoadedBatch]:
    """The batches that `make` makes of `specs`, in order.

    By `workers` processes (0: this one); with None by no process: images in memory are ready
    before another process could have sent them, and only with a GPU does a thread have a free core.
    """
    if workers is None:
        made = (partial(_timed, make, spec) for spec in specs)
    else:
        parts = _made_by_workers(partial(_timed, make), specs, workers)
        made = (partial(joined, some, cuda) for some in parts)
    if cuda:
        return _in_thread(made, pin=workers is None)
    return (batch() for batch in made)


def _timed(make: Maker, spec: BatchSpec) -> LoadedBatch:
    """A batch, with the time that a core worked on it: waiting for a core or a disk is none."""
    began = time.thread_time()
    batch = make(spec)
    return batch._replace(core_s=time.thread_time() - began)


def parts_of(spec: BatchSpec, workers: int) -> list[BatchSpec]:
    """A batch in as many parts as there are workers, none smaller than LEAST_PART but the last."""
    n = len(spec.chosen)
    size = max(LEAST_PART, -(-n // max(1, workers))) if workers else max(1, n)
    return [
        spec._replace(low=spec.low + first, chosen=spec.chosen[first : first + size])
        for first in range(0, n, size)
    ] or [spec]


def joined(parts: Sequence[LoadedBatch], pinned: bool) -> LoadedBatch:
    """One batch of its parts, copied once, to memory that a GPU can read if `pinned`."""
    if len(parts) == 1 and not pinned:
        return parts[0]
    n, first = sum(len(part.labels) for part in parts), parts[0].pixels
    channels, *sides = first.shape[1:]
    # As the images lie in memory: channels last.
    pixels = torch.empty((n, *sides, channels), dtype=first.dtype, pin_memory=pinned)
    pixels = pixels.permute(0, 3, 1, 2)
    at = 0
    for part in parts:
        pixels[at : at + len(part.labels)] = part.pixels
        at += len(part.labels)
    labels = torch.cat([part.labels for part in parts])
    pending = [part.pending for part in parts if part.pending is not None]
    corrupt = [one for part in parts for one in part.corrupt]
    later, core_s = all_pending(pending) if pending else None, sum(part.core_s for part in parts)
    return LoadedBatch(pixels, labels, corrupt, later, core_s)


@dataclass
class _Batches(Dataset[LoadedBatch]):
    """Batches as items with specs as indices, so that torch's loader shares them among workers."""

    make: Maker

    def __getitem__(self, spec: BatchSpec) -> LoadedBatch:
        return self.make(spec)


def _made_by_workers(
    make: Maker, specs: Iterator[BatchSpec], workers: int
) -> Iterator[list[LoadedBatch]]:
    """The parts of each batch, in order."""
    expected = deque[int]()

    def parts() -> Iterator[BatchSpec]:
        for spec in specs:
            some = parts_of(spec, workers)
            expected.append(len(some))
            yield from some

    loader: DataLoader[LoadedBatch] = DataLoader(
        _Batches(make),
        batch_size=None,
        sampler=parts(),
        num_workers=workers,
        # Not the local pool's start method: its workers would outlive a run that is killed.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        prefetch_factor=AHEAD if workers else None,
        worker_init_fn=_begin_worker,
        # The loader draws a seed; from torch's own generator it would change what dropout draws.
        generator=torch.Generator(),
    )
    found: list[LoadedBatch] = []
    for part in loader:
        found.append(part)
        if len(found) == expected[0]:
            expected.popleft()
            yield found
            found = []


def _begin_worker(number: int) -> None:
    for name in PARENTS_SIGNALS:
        signal.signal(name, signal.SIG_IGN)


def _in_thread(batches: Iterator[Callable[[], LoadedBatch]], pin: bool) -> Iterator[LoadedBatch]:
    """Batches that a thread makes ahead, in memory that a GPU can read."""

    def following() -> LoadedBatch | None:
        if (batch := next(batches, None)) is None:
            return None
        made = batch()
        pixels = made.pixels.contiguous().pin_memory() if pin else made.pixels
        return made._replace(pixels=pixels, labels=made.labels.pin_memory())

    ready: deque[Future[LoadedBatch | None]] = deque()
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        while True:
            while len(ready) < AHEAD:
                ready.append(thread.submit(following))
            if (batch := ready.popleft().result()) is None:
                return
            yield batch
    finally:
        thread.shutdown(cancel_futures=True)
