"""Batches made while a step computes: by worker processes, or by a thread where there is a GPU."""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from scaling_study.training.input_pipeline.make_batch import BatchSpec, LoadedBatch

# Batches that wait ready for the training loop, of each worker or of the thread.
AHEAD = 2
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
    if workers is not None:
        return _from_workers(make, specs, workers, cuda)
    if cuda:
        return _from_thread(make, specs)
    return map(make, specs)


@dataclass
class _Batches(Dataset[LoadedBatch]):
    """Batches as items with specs as indices, so that torch's loader shares them among workers."""

    make: Maker

    def __getitem__(self, spec: BatchSpec) -> LoadedBatch:
        return self.make(spec)


def _from_workers(
    make: Maker, specs: Iterator[BatchSpec], workers: int, cuda: bool
) -> Iterator[LoadedBatch]:
    loader: DataLoader[LoadedBatch] = DataLoader(
        _Batches(make),
        batch_size=None,
        sampler=specs,
        num_workers=workers,
        # Not the local pool's start method: its workers would outlive a run that is killed.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=cuda,
        worker_init_fn=_begin_worker,
        # The loader draws a seed; from torch's own generator it would change what dropout draws.
        generator=torch.Generator(),
    )
    yield from loader


def _begin_worker(number: int) -> None:
    for name in PARENTS_SIGNALS:
        signal.signal(name, signal.SIG_IGN)


def _from_thread(make: Maker, specs: Iterator[BatchSpec]) -> Iterator[LoadedBatch]:
    def pinned(spec: BatchSpec) -> LoadedBatch:
        pixels, labels, corrupt = make(spec)
        return pixels.contiguous().pin_memory(), labels.pin_memory(), corrupt

    ready: deque[Future[LoadedBatch]] = deque()
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        for spec in specs:
            ready.append(thread.submit(pinned, spec))
            if len(ready) > AHEAD:
                yield ready.popleft().result()
        while ready:
            yield ready.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)
